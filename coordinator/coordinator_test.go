package coordinator_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/coordinator/coordinatortest"
)

func TestInProcessKeepsThePromises(t *testing.T) {
	coordinatortest.Run(t, func(_ *testing.T, n int) []coordinator.Group { return coordinator.InProcess(n) })
}

func TestSoloIsAGroupOfOne(t *testing.T) {
	g := coordinator.Solo()
	if g.Rank() != 0 || g.Size() != 1 {
		t.Errorf("rank %d of %d, want 0 of 1", g.Rank(), g.Size())
	}
	mine := []byte("mine")
	got, err := g.AllGather(t.Context(), "r", mine)
	clear(mine)
	if err != nil || len(got) != 1 || string(got[0]) != "mine" {
		t.Errorf("AllGather = %q, %v, want mine alone", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.AllGather(ctx, "r", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("AllGather with a cancelled context = %v, want %v", err, context.Canceled)
	}
}

// A worker that is gone without a word keeps the others for as long as their
// own contexts say.
func TestAWorkerThatNeverComesIsWaitedForUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := coordinator.InProcess(3)
		begin := time.Now()
		answers := make(chan error, 1)
		go func() {
			_, err := g[0].AllGather(t.Context(), "r", nil)
			answers <- err
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := g[1].AllGather(ctx, "r", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AllGather = %v, want %v", err, context.DeadlineExceeded)
		}
		if err := <-answers; !errors.Is(err, coordinator.ErrLeft) {
			t.Errorf("the worker without a deadline got %v, want %v", err, coordinator.ErrLeft)
		}
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("waited for %v, want %v", d, time.Minute)
		}
	})
}

// TestAMemberThatIsGoneEndsTheRoundThatItCompletes: who comes last with a
// context that has ended does not make the round whole.
func TestAMemberThatIsGoneEndsTheRoundThatItCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := coordinator.InProcess(2)
		answers := make(chan error, 1)
		go func() {
			_, err := g[0].AllGather(t.Context(), "r", nil)
			answers <- err
		}()
		synctest.Wait() // until it waits for the other
		ctx, leave := context.WithCancel(t.Context())
		leave()
		if _, err := g[1].AllGather(ctx, "r", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("AllGather = %v, want %v", err, context.Canceled)
		}
		if err := <-answers; !errors.Is(err, coordinator.ErrLeft) {
			t.Errorf("the worker that waited got %v, want %v", err, coordinator.ErrLeft)
		}
	})
}
