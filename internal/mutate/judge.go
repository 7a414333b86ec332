package main

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// verdict is what became of a mutant.
type verdict struct {
	mutant
	by     string // the test that turned red; "" if none
	hung   bool
	asked  int    // how many tests reach it
	reason string // why no test can notice it, if somebody has found that
}

// judge asks the tests that reach a mutant, those first that take least.
func (s *suite) judge(m mutant) (verdict, error) {
	v := verdict{mutant: m, reason: unobservable.of(m)}
	var asked []test
	for _, t := range s.tests {
		if slices.Contains(t.Reached, m.id) {
			asked = append(asked, t)
		}
	}
	v.asked = len(asked)
	slices.SortStableFunc(asked, func(a, b test) int { return cmp.Compare(a.Took, b.Took) })
	for budget := time.Second; len(asked) > 0; budget *= 4 {
		n, sum := 0, time.Duration(0)
		for n < len(asked) && (n == 0 || sum+asked[n].Took <= budget) {
			sum += asked[n].Took
			n++
		}
		if err := s.ask(&v, asked[:n]); err != nil || v.by != "" {
			return v, err
		}
		asked = asked[n:]
	}
	return v, nil
}

// ask runs tests with the mutant, package by package.
func (s *suite) ask(v *verdict, asked []test) error {
	for _, pkg := range tested {
		var names []string
		sum := time.Duration(0)
		for _, t := range asked {
			if t.Pkg == pkg {
				names, sum = append(names, t.Name), sum+t.Took
			}
		}
		for len(names) > 0 {
			r, err := s.exec(pkg, names, v.id, "", s.timeout+10*sum)
			if err != nil {
				return err
			}
			if r.failed == "" && !r.hung {
				break
			}
			is, err := s.green(pkg, r.failed, s.timeout+10*sum)
			if err != nil {
				return err
			}
			if is {
				v.by, v.hung = pkg+" "+r.failed, r.hung
				return nil
			}
			// It fails without the mutant too, now: it says nothing.
			names = slices.DeleteFunc(names, func(n string) bool { return n == r.failed })
		}
	}
	return nil
}

// green reports whether a test passes without a mutant.
func (s *suite) green(pkg, name string, limit time.Duration) (bool, error) {
	r, err := s.exec(pkg, []string{name}, 0, "", limit)
	return r.failed == "" && !r.hung, err
}

// String is the mutant's line.
func (v verdict) String() string {
	switch {
	case v.hung:
		return fmt.Sprintf("red (hangs)  %v: %s", v.mutant, v.by)
	case v.by != "":
		return fmt.Sprintf("red          %v: %s", v.mutant, v.by)
	case v.reason != "":
		return fmt.Sprintf("unobservable %v: %s", v.mutant, v.reason)
	}
	return fmt.Sprintf("SURVIVES     %v: %d tests reach it", v.mutant, v.asked)
}

// each runs do(0) to do(n-1), so many at a time.
func each(jobs, n int, do func(int)) {
	free := make(chan struct{}, jobs)
	var wg sync.WaitGroup
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			do(i)
		})
	}
	wg.Wait()
}
