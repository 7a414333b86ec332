//go:build unix

package preemption

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// childDir tells the test binary that it is the program to be preempted.
const childDir = "CKPT_PREEMPTION_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println(child(dir))
		os.Exit(1) // a preempted program exits before
	}
	os.Exit(m.Run())
}

func child(dir string) error {
	r, err := newRun(context.Background(), local.Dir(dir), nil, nil)
	if err != nil {
		return err
	}
	for range 20 {
		if err := r.h.Run(context.Background(), r.step); err != nil {
			return err
		}
		fmt.Println("run", r.h.TotalRunCalls())
		if r.h.TotalRunCalls() == 7 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
				return err
			}
			for noticed := false; !noticed; _, noticed = r.h.notice() {
				runtime.Gosched()
			}
		}
	}
	return errors.New("it was not preempted")
}

func TestScenario130ASignalOneMoreStepASaveAnExitCode(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != RestartCode {
		t.Fatalf("the program ended with %v, want exit status %d:\n%s", err, RestartCode, out)
	}
	if lines := strings.Count(string(out), "run "); lines != 8 {
		t.Errorf("it made %d runs, want 8:\n%s", lines, out)
	}
	exits := 0
	r := mustRun(t, local.Dir(dir), nil, quiet(&exits))
	if n := r.h.TotalRunCalls(); n != 8 || r.v.Value[0] != 8 {
		t.Errorf("restarted with %d runs and the value %d, want 8 and 8", n, r.v.Value[0])
	}
	r.close(t)
}

func TestTheProgramsOwnHandlerStays(t *testing.T) {
	own := make(chan os.Signal, 1)
	signal.Notify(own, syscall.SIGUSR1)
	defer signal.Stop(own)
	exits := 0
	r := mustRun(t, mem.Dir(), nil, &TerminationConfig{Signals: []os.Signal{syscall.SIGUSR1}, Exit: func() { exits++ }})
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	<-own
	var err error
	for err == nil {
		err = r.h.Run(t.Context(), r.step)
	}
	if exits != 1 {
		t.Errorf("Run() = %v after %d exits, want 1", err, exits)
	}
	r.close(t)
}
