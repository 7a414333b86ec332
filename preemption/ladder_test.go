package preemption

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// slow is a Dir in which every file takes its time.
type slow struct {
	storage.Dir
	mu   sync.Mutex
	each time.Duration
}

func (s *slow) Create(ctx context.Context, name string) (storage.Pending, error) {
	s.mu.Lock()
	d := s.each
	s.mu.Unlock()
	select {
	case <-time.After(d):
		return s.Dir.Create(ctx, name)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *slow) Link(ctx context.Context, oldname, newname string) error {
	return storage.Link(ctx, s.Dir, oldname, newname)
}

func TestTheLadder(t *testing.T) {
	const file = time.Second // to create one; a full save has four, the weights three
	for name, c := range map[string]struct {
		deadline time.Duration
		weights  bool
		want     Rung
	}{
		"time for all":           {time.Minute, true, Full},
		"no deadline known":      {0, true, Full},
		"time for the weights":   {14 * time.Second, true, WeightsOnly},
		"no weights given":       {14 * time.Second, false, Drained},
		"time for nothing":       {1500 * time.Millisecond, true, Drained},
		"as long as it is known": {15 * time.Second, true, Full},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				exits := 0
				dir, place := &slow{Dir: mem.Dir(), each: 5 * file / 2}, &slow{Dir: mem.Dir(), each: file}
				o := quiet(&exits)
				o.Deadline = c.deadline
				weights := checkpoint.New(nil, checkpoint.Objects{"v": trackable.NewScalar("v", int64(7))}, nil)
				if c.weights {
					o.Weights = &Weights{Checkpoint: weights, Dir: place}
					if err := weights.Write(t.Context(), place, "preempted-weights"); err != nil {
						t.Fatal(err)
					}
				}
				r := mustRun(t, dir, nil, o)
				mustStep(t, r)
				if _, err := r.m.Save(t.Context(), nil); err != nil { // which teaches how long it takes
					t.Fatal(err)
				}
				r.h.Notify()
				mustStep(t, r)
				var p *PreemptedError
				if err := r.h.Run(t.Context(), r.step); !errors.As(err, &p) {
					t.Fatalf("Run() = %v, want a PreemptedError", err)
				}
				if p.Report.Rung != c.want || exits != 1 {
					t.Errorf("took %v, want %v: %+v", p.Report.Rung, c.want, p.Report)
				}
				if (len(p.Report.Passed) > 0) != (c.want > Full) {
					t.Errorf("passed %v on the way to %v", p.Report.Passed, c.want)
				}
				r.close(t)
			})
		})
	}
}

// TestAFullSaveThatOverstaysLeavesTimeForTheWeights: it has never taken so
// long before.
func TestAFullSaveThatOverstaysLeavesTimeForTheWeights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exits := 0
		dir := &slow{Dir: mem.Dir()}
		o := quiet(&exits)
		o.Deadline = 30 * time.Second
		weights := checkpoint.New(nil, checkpoint.Objects{"v": trackable.NewScalar("v", int64(7))}, nil)
		place := &slow{Dir: mem.Dir(), each: time.Second}
		o.Weights = &Weights{Checkpoint: weights, Dir: place, Path: "small"}
		if err := weights.Write(t.Context(), place, "small"); err != nil {
			t.Fatal(err)
		}
		r := mustRun(t, dir, nil, o)
		r.h.Notify()
		mustStep(t, r)
		dir.mu.Lock()
		dir.each = time.Hour
		dir.mu.Unlock()
		noticed := time.Now()
		var p *PreemptedError
		if err := r.h.Run(t.Context(), r.step); !errors.As(err, &p) || p.Report.Rung != WeightsOnly || p.Report.Path != "small" {
			t.Fatalf("Run() = %v, want the weights: %+v", err, r.h.Report())
		}
		if d := time.Since(noticed); d >= o.Deadline {
			t.Errorf("took %v, want less than %v", d, o.Deadline)
		}
		if len(p.Report.Passed) != 1 || !errors.Is(p.Report.Passed[0], context.DeadlineExceeded) {
			t.Errorf("passed %v, want the full save for lack of time", p.Report.Passed)
		}
		r.close(t)
	})
}

// TestStepsThatTakeLongerThanTheDeadline: the program still ends as it should,
// and says what it could not do.
func TestStepsThatTakeLongerThanTheDeadline(t *testing.T) {
	for _, async := range []*checkpoint.Async{nil, {Queue: 1}} {
		synctest.Test(t, func(t *testing.T) {
			exits := 0
			o := quiet(&exits)
			o.Deadline = 30 * time.Second
			r := mustRun(t, &slow{Dir: mem.Dir(), each: time.Minute}, &checkpoint.ManagerOptions{Async: async}, o)
			if async != nil { // one is under way, and will not be done in time
				if _, err := r.m.Save(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
			r.h.Notify()
			r.took = time.Minute
			mustStep(t, r)
			var p *PreemptedError
			if err := r.h.Run(t.Context(), r.step); !errors.As(err, &p) {
				t.Fatalf("Run() = %v, want a PreemptedError", err)
			}
			if p.Report.Rung != Drained || p.Report.Path != "" || exits != 1 || !errors.Is(p.Report.Passed[0], context.DeadlineExceeded) {
				t.Errorf("%d exits, %+v, want one, and no save for lack of time", exits, p.Report)
			}
			r.close(t)
		})
	}
}
