package crew

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
)

// team runs do for each of n workers and returns their errors by rank.
func team(n int, do func(w *Worker) error) []error {
	errs, done := make([]error, n), make(chan struct{})
	for rank, g := range coordinator.InProcess(n) {
		go func() {
			errs[rank] = do(New(g))
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
	return errs
}

func TestWhoIsAloneHasNoCrew(t *testing.T) {
	for _, g := range []coordinator.Group{nil, coordinator.Solo()} {
		if w := New(g); w != nil {
			t.Errorf("New(%v) = %v, want nil", g, w)
		}
	}
}

func TestRoundGathersWhatAllTell(t *testing.T) {
	for rank, err := range team(3, func(w *Worker) error {
		rank, size := w.Place()
		all, err := Round(t.Context(), w, "sums", rank+10, nil)
		if err == nil && (len(all) != size || all[0] != 10 || all[2] != 12 || w.Leads() != (rank == 0)) {
			t.Errorf("Round = %v of worker %d", all, rank)
		}
		return err
	}) {
		if err != nil {
			t.Errorf("worker %d: %v", rank, err)
		}
	}
}

func TestAllLearnOfTheLowestRankThatFailed(t *testing.T) {
	broken := errors.New("disk full")
	errs := team(3, func(w *Worker) error {
		var mine error
		if rank, _ := w.Place(); rank > 0 {
			mine = broken
		}
		_, err := Round(t.Context(), w, "written", struct{}{}, mine)
		return err
	})
	if want := "worker 1: disk full"; errs[0] == nil || errs[0].Error() != want {
		t.Errorf("worker 0: %v, want %s", errs[0], want)
	}
	for rank, err := range errs[1:] {
		if !errors.Is(err, broken) {
			t.Errorf("worker %d: %v, want its own %v", rank+1, err, broken)
		}
	}
}

func TestWhatCannotBeTold(t *testing.T) {
	for rank, err := range team(2, func(w *Worker) error {
		_, err := Round(t.Context(), w, "plan", func() {}, nil)
		return err
	}) {
		if err == nil || !strings.Contains(err.Error(), "json") {
			t.Errorf("worker %d: %v, want an error of encoding/json", rank, err)
		}
	}
}

// save is a save of one worker: not due, or it goes as far as its end.
func save(ctx context.Context, w *Worker, due bool, failed error) (state string, skip bool, err error) {
	if w.Leads() {
		if due {
			err = w.Begin(ctx, Announcement{Path: "ckpt-7", Counts: true, Count: 7})
		}
		if err == nil {
			err = failed
		}
		return "", false, w.Finish(ctx, "the state", err)
	}
	a, err := w.Join(ctx, nil)
	if err != nil || a.Skip {
		return "", a.Skip, err
	}
	if a.Path != "ckpt-7" || !a.Counts || a.Count != 7 {
		return "", false, errors.New("told something else")
	}
	state, err = w.Await(ctx)
	return state, false, err
}

func TestSaveEndsForAllAsTheLeadersDoes(t *testing.T) {
	broken := errors.New("no space")
	for name, test := range map[string]struct {
		due    bool
		failed error
	}{"done": {true, nil}, "not due": {false, nil}, "fails before": {false, broken}, "fails": {true, broken}} {
		errs := team(2, func(w *Worker) error {
			state, skip, err := save(t.Context(), w, test.due, test.failed)
			if !w.Leads() && err == nil && (skip == test.due || test.due && state != "the state") {
				t.Errorf("%s: state, skip = %q, %v", name, state, skip)
			}
			return err
		})
		for rank, err := range errs {
			if test.failed == nil && err != nil || test.failed != nil && (err == nil || !strings.Contains(err.Error(), "no space")) {
				t.Errorf("%s: worker %d: %v, want %v", name, rank, err, test.failed)
			}
		}
	}
}

func TestNoRoundFollowsOneThatFailed(t *testing.T) {
	broken := errors.New("no space")
	for rank, err := range team(2, func(w *Worker) error {
		if !w.Leads() {
			if _, err := w.Join(t.Context(), nil); err != nil {
				return err
			}
			_, err := Round(t.Context(), w, "plan", 0, broken)
			return err
		}
		err := w.Begin(t.Context(), Announcement{Path: "p"})
		if err == nil {
			_, err = Round(t.Context(), w, "plan", 0, nil)
		}
		return w.Finish(t.Context(), "", err) // would wait forever
	}) {
		if err == nil {
			t.Errorf("worker %d: nil, want an error", rank)
		}
	}
}
