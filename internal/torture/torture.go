// Package torture says how hard a test tries: a little in every run of the
// tests, a lot in `make torture`, and how often it did.
package torture

import (
	"fmt"
	"os"
	"testing"
)

// Env is the environment variable that asks for the long forms.
const Env = "CKPT_TORTURE"

// CountsEnv names the file that Count appends to, if any.
const CountsEnv = "CKPT_TORTURE_COUNTS"

// Times returns how often to do a thing: short, or long where Env is set.
func Times(short, long int) int {
	if os.Getenv(Env) != "" {
		return long
	}
	return short
}

// Thin is the step of an enumeration whose attempts each run in one goroutine:
// 1, or n under the race detector, which finds nothing new in the others and
// makes each ten times as slow. `make unit` runs the tests of who asks for it
// both with the detector and, whole, without.
func Thin(n int) int {
	if race {
		return n
	}
	return 1
}

// Count tells that the test did what n times: in its log, and in the file that
// CountsEnv names, from which `make torture` takes its sums.
func Count(t testing.TB, what string, n int) {
	t.Helper()
	t.Logf("%d %s", n, what)
	path := os.Getenv(CountsEnv)
	if path == "" {
		return
	}
	if err := add(path, fmt.Sprintf("%d\t%s\t%s\n", n, what, t.Name())); err != nil {
		t.Error(err)
	}
}

// add appends with one write, so that lines of several processes stay whole.
func add(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
