//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/preemption"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

// TestPreemptedProgramsGoOnFromEachOther preempts TensorFlow's handler and ours
// twice each, which gives the same files, and then each goes on from what the
// other has left.
func TestPreemptedProgramsGoOnFromEachOther(t *testing.T) {
	theirs, ours := t.TempDir(), t.TempDir()
	for at, want := range []string{"begins 0 0", "begins 3 3"} {
		runs := int64(2 + 3*at)
		begin, made := preemptTensorFlow(t, theirs, fmt.Sprint(runs))
		if begin != want || made != 3 {
			t.Errorf("TensorFlow %s and makes %d runs, want %s and 3", begin, made, want)
		}
		if _, end := preemptOurs(t, ours, runs); end != runs+1 {
			t.Errorf("ours exits after %d runs, want %d", end, runs+1)
		}
		sameFiles(t, ours, theirs)
	}
	if begin, end := preemptOurs(t, theirs, 8); begin != 6 || end != 9 {
		t.Errorf("ours goes on from TensorFlow's after %d runs and exits after %d, want 6 and 9", begin, end)
	}
	if begin, made := preemptTensorFlow(t, ours, "8"); begin != "begins 6 6" || made != 3 {
		t.Errorf("TensorFlow goes on from ours: %s, and %d runs, want 6 6 and 3", begin, made)
	}
}

// preemptTensorFlow returns what the program began with, and how many runs it
// made until it exited.
func preemptTensorFlow(t *testing.T, dir, at string) (begin string, runs int) {
	t.Helper()
	interpreter, err := python()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(interpreter, "py/preempted.py", dir, at).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != preemption.RestartCode {
		t.Fatalf("TensorFlow's program ended with %v, want exit status %d:\n%s", err, preemption.RestartCode, out)
	}
	begin, _, _ = strings.Cut(string(out), "\n")
	return begin, strings.Count(string(out), "run ")
}

func preemptOurs(t *testing.T, dir string, at int64) (begin, end int64) {
	t.Helper()
	v := trackable.NewScalar("v", int64(0))
	c := checkpoint.New(nil, checkpoint.Objects{"v": v}, nil)
	h, err := preemption.ForCheckpoint(t.Context(), c, local.Dir(dir), &preemption.TerminationConfig{
		Watcher: func(context.Context) bool { return false }, Exit: func() {},
	})
	if err != nil {
		t.Fatal(err)
	}
	begin = h.TotalRunCalls()
	if v.Value[0] != begin {
		t.Errorf("restored %d after %d runs", v.Value[0], begin)
	}
	for err == nil {
		if h.TotalRunCalls() == at {
			h.Notify()
		}
		err = h.Run(t.Context(), func(context.Context) error { v.Value[0]++; return nil })
	}
	var p *preemption.PreemptedError
	if !errors.As(err, &p) {
		t.Fatalf("Run() = %v, want a PreemptedError", err)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Error(err)
	}
	return begin, p.Report.Runs
}
