package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// suite is the tests of the packages, built once with all mutants in them.
type suite struct {
	root, tmp string
	jobs      int
	timeout   time.Duration // for what takes no time
	asked     string        // a regular expression of tests' names
	tests     []test
	flaky     []string
}

// test is one of them, and what it told of itself when no mutant was on.
type test struct {
	Pkg, Name string
	Took      time.Duration
	Reached   []int
}

// build builds the test binaries.
func (s *suite) build(overlay string) error {
	args := []string{"test", "-c", "-vet=off", "-overlay", overlay, "-o", s.tmp + string(filepath.Separator)}
	for _, pkg := range tested {
		args = append(args, "./"+pkg)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the code with its mutants: %w\n%s", err, out)
	}
	return nil
}

func (s *suite) binary(pkg string) string { return filepath.Join(s.tmp, path.Base(pkg)+".test") }

// result is how a run of tests ended.
type result struct {
	failed string // the first test that did; "" if none
	hung   bool
	took   time.Duration
	output string
}

// exec runs tests of a package, with a mutant on or none.
func (s *suite) exec(pkg string, names []string, mutant int, reach string, limit time.Duration) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit+10*time.Second)
	defer cancel()
	var quoted []string
	for _, n := range names {
		quoted = append(quoted, regexp.QuoteMeta(n))
	}
	args := []string{"-test.run", "^(" + strings.Join(quoted, "|") + ")$", "-test.failfast", "-test.timeout", limit.String()}
	cmd := exec.CommandContext(ctx, s.binary(pkg), append(args, s.forgetful(pkg)...)...)
	cmd.Dir = filepath.Join(s.root, filepath.FromSlash(pkg))
	cmd.Env = append(os.Environ(), envMutant+"="+strconv.Itoa(mutant), envReach+"="+reach)
	cmd.WaitDelay = time.Second // for children that have the output open
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	r := result{took: time.Since(begin), output: string(out)}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil || strings.Contains(r.output, "panic: test timed out"):
		r.hung = true
	case !errors.As(err, &exit):
		return r, err
	}
	r.failed = firstFailed(r.output, names)
	return r, nil
}

// forgetful returns what keeps rapid, where a package has tests that use it, from
// writing down what a mutant has failed with: every later run would begin with that.
func (s *suite) forgetful(pkg string) []string {
	files, _ := filepath.Glob(filepath.Join(s.root, filepath.FromSlash(pkg), "*_test.go")) // the pattern is right
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil && bytes.Contains(text, []byte(`"pgregory.net/rapid"`)) {
			return []string{"-rapid.nofailfile"}
		}
	}
	return nil
}

var (
	failLine    = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	runningLine = regexp.MustCompile(`running tests:\s+(\w+)`)
)

// firstFailed returns the name of a test that an output of a failure is about.
func firstFailed(output string, names []string) string {
	for _, line := range []*regexp.Regexp{failLine, runningLine} {
		if m := line.FindStringSubmatch(output); m != nil {
			return m[1]
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("one of %d, %s and so on", len(names), names[0])
}

// profile runs each test by itself, without a mutant, to learn what it takes
// and which mutants it could notice at all.
func (s *suite) profile() error {
	var all []test
	for _, pkg := range tested {
		cmd := exec.Command(s.binary(pkg), "-test.list", s.asked)
		cmd.Dir = filepath.Join(s.root, filepath.FromSlash(pkg))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("list the tests of %s: %w\n%s", pkg, err, out)
		}
		for name := range strings.FieldsSeq(string(out)) {
			if !strings.HasPrefix(name, "Benchmark") {
				all = append(all, test{Pkg: pkg, Name: name})
			}
		}
	}
	errs := make([]error, len(all))
	each(s.jobs, len(all), func(i int) { errs[i] = s.measure(&all[i], i) })
	for i, t := range all {
		switch {
		case errs[i] != nil:
			return errs[i]
		case t.Took == 0:
			s.flaky = append(s.flaky, t.Pkg+" "+t.Name)
		case len(t.Reached) > 0:
			s.tests = append(s.tests, t)
		}
	}
	return nil
}

// measure fills in t. One that fails by itself, twice, keeps no time.
func (s *suite) measure(t *test, number int) error {
	reach := filepath.Join(s.tmp, "reach-"+strconv.Itoa(number))
	if err := openToAll(reach); err != nil {
		return err
	}
	for range 2 {
		r, err := s.exec(t.Pkg, []string{t.Name}, 0, reach, 10*time.Minute)
		if err != nil {
			return err
		}
		if r.failed != "" || r.hung {
			continue
		}
		t.Took = r.took
		t.Reached, err = readReach(reach)
		return err
	}
	return nil
}

// openToAll makes a file that children of tests may write to which have given
// up root's rights.
func openToAll(name string) error {
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		return err
	}
	if err := os.Chmod(name, 0o666); err != nil {
		return err
	}
	return os.Chmod(filepath.Dir(name), 0o777)
}

// readReach reads what mutantNote wrote.
func readReach(name string) ([]int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	seen := make(map[int]bool)
	var list []int
	for line := range strings.FieldsSeq(string(text)) {
		id, err := strconv.Atoi(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list, nil
}

// remember keeps a profile in a file, from which recall takes it.
func (s *suite) remember(name string) error {
	text, err := json.Marshal(s.tests)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o666)
}

func (s *suite) recall(name string) (bool, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(text, &s.tests)
}
