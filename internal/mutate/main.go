// Command mutate removes each flush, rename, flush of a directory, check of a
// checksum and rule of order of the code that publishes and sweeps, one at a
// time, and looks whether a test turns red. It prints what became of each, and
// fails when one survives. It runs in the root of the repository:
//
//	go run ./internal/mutate
//	go run ./internal/mutate -file storage/local/pending -sample 10
//
// The repository is not touched: what is built is an overlay, in which every
// mutant is compiled in and waits for its number in the environment.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"time"
)

type options struct {
	file    string // a regular expression
	sample  int
	list    bool
	jobs    int
	timeout time.Duration
	profile string
	tests   string // a regular expression
}

func main() {
	var o options
	flag.StringVar(&o.file, "file", "", "only mutants whose line, as the list has it, matches the regular `expression`")
	flag.IntVar(&o.sample, "sample", 0, "only about so many of them, spread evenly; 0: all")
	flag.BoolVar(&o.list, "list", false, "only list the mutants")
	flag.IntVar(&o.jobs, "jobs", runtime.GOMAXPROCS(0), "mutants at a time")
	flag.DurationVar(&o.timeout, "timeout", 20*time.Second, "how long tests may take, besides ten times as long as without a mutant")
	flag.StringVar(&o.profile, "profile", "", "`file` that what each test reaches is kept in, from one run to the next")
	flag.StringVar(&o.tests, "tests", ".", "ask only tests whose name matches the regular `expression`")
	flag.Parse()
	if err := run(os.Stdout, ".", o); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// run mutates the repository at root.
func run(out io.Writer, root string, o options) (err error) {
	root, err = filepath.Abs(root)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "ckpt-mutate-")
	if err != nil {
		return err
	}
	defer func() {
		if removed := os.RemoveAll(tmp); err == nil {
			err = removed
		}
	}()
	mutants, overlay, err := instrument(root, tmp)
	if err != nil {
		return err
	}
	if err := unobservable.check(mutants); err != nil {
		return err
	}
	if mutants, err = chosen(mutants, o); err != nil {
		return err
	}
	if o.list {
		for _, m := range mutants {
			fmt.Fprintln(out, m)
		}
		return nil
	}
	s := &suite{root: root, tmp: tmp, jobs: o.jobs, timeout: o.timeout, asked: cmp.Or(o.tests, ".")}
	if err := s.prepare(out, overlay, o.profile); err != nil {
		return err
	}
	return s.judgeAll(out, mutants)
}

// chosen returns the mutants that a run is about.
func chosen(mutants []mutant, o options) ([]mutant, error) {
	match, err := regexp.Compile(o.file)
	if err != nil {
		return nil, err
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !match.MatchString(m.String()) })
	if o.sample <= 0 || o.sample >= len(mutants) {
		return mutants, nil
	}
	var some []mutant
	for i := range o.sample {
		some = append(some, mutants[i*len(mutants)/o.sample])
	}
	return some, nil
}

// prepare builds the tests and learns what each of them reaches.
func (s *suite) prepare(out io.Writer, overlay, kept string) error {
	begin := time.Now()
	if err := s.build(overlay); err != nil {
		return err
	}
	fmt.Fprintf(out, "built in %v\n", time.Since(begin).Round(time.Second))
	begin = time.Now()
	if kept != "" {
		if known, err := s.recall(kept); known || err != nil {
			return err
		}
	}
	if err := s.profile(); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d tests reach mutants, learned in %v\n", len(s.tests), time.Since(begin).Round(time.Second))
	for _, name := range s.flaky {
		fmt.Fprintf(out, "not asked, because it fails without a mutant: %s\n", name)
	}
	if kept != "" {
		return s.remember(kept)
	}
	return nil
}

// judgeAll prints what becomes of the mutants.
func (s *suite) judgeAll(out io.Writer, mutants []mutant) error {
	begin := time.Now()
	var mu sync.Mutex
	var failed error
	var survivors, excused, noticed int
	each(s.jobs, len(mutants), func(i int) {
		v, err := s.judge(mutants[i])
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			failed = fmt.Errorf("%v: %w", mutants[i], err)
			return
		case v.by == "" && v.reason == "":
			survivors++
		case v.by == "":
			excused++
		case v.reason != "":
			noticed++
		}
		fmt.Fprintln(out, v)
		if v.by != "" && v.reason != "" {
			fmt.Fprintf(out, "             but unobservable.go says that no test can: %s\n", v.reason)
		}
	})
	fmt.Fprintf(out, "%d mutants in %v: %d red, %d unobservable, %d survive\n",
		len(mutants), time.Since(begin).Round(time.Second), len(mutants)-survivors-excused, excused, survivors)
	switch {
	case failed != nil:
		return failed
	case survivors > 0:
		return fmt.Errorf("%d mutants survive: each needs a test, or its line is not needed", survivors)
	case noticed > 0:
		return fmt.Errorf("%d mutants are noticed that unobservable.go excuses", noticed)
	}
	return nil
}
