package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/torture"
)

// TestAStoppedWriterKeepsOthersOut stops a process in the midst of a save. As
// long as it is there another gets an error that names it; when it goes on,
// nothing has happened; when it is killed, another can write at once.
//
// Proves D26.
func TestAStoppedWriterKeepsOthersOut(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	h := newHistory(compile(t), t.TempDir(), "latest3", random)
	if err := h.plant(); err != nil {
		t.Fatal(err)
	}
	first, err := h.begin(0)
	if err != nil {
		t.Fatal(err)
	}
	stops, left := torture.Times(10, 300), 0
	pause := 1 + random.IntN(60)
	err = first.listen(func(_, _ int, isLine bool) {
		// Who flushes has the lock, and has written its name into it.
		if pause--; pause > 0 || isLine || first.last != "sync" {
			return
		}
		if pause = 1 + random.IntN(200); left == stops {
			if err := first.cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			return
		}
		left++
		if err := h.whileStopped(first); err != nil {
			t.Error(err)
		}
	})
	if ended := first.ended(); err == nil {
		err = ended
	}
	if err := h.died(first, err); err != nil {
		t.Fatalf("%v\n%s", err, h.journal())
	}
	second, err := h.begin(1)
	if err != nil {
		t.Fatal(err)
	}
	err = second.listen(func(int, int, bool) {})
	if ended := second.cmd.Wait(); ended != nil {
		t.Errorf("after the first one's death: %v\n%s", ended, second.errs.String())
	}
	if err := h.died(second, err); err != nil {
		t.Errorf("%v\n%s", err, h.journal())
	}
	torture.Count(t, "writers stopped", left)
}

// whileStopped lets another process try.
func (h *history) whileStopped(first *victim) error {
	pid := first.cmd.Process.Pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("the first was to stop, its status is %v, %w", status, err)
	}
	second, err := h.begin(1)
	if err != nil {
		return err
	}
	err = second.listen(func(int, int, bool) {})
	if err == nil && second.cmd.Wait() == nil {
		err = fmt.Errorf("a second one wrote while the first was stopped")
	}
	host, unnamed := os.Hostname()
	says, holder := second.errs.String(), fmt.Sprintf("locked by another process (process %d ", pid)
	if err == nil && unnamed == nil && (!strings.Contains(says, holder) || !strings.Contains(says, " on "+host)) {
		err = fmt.Errorf("the second says %q, want %q on %s", says, holder, host)
	}
	if failed := syscall.Kill(pid, syscall.SIGCONT); err == nil {
		err = failed
	}
	return err
}
