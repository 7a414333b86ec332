package preemption

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestScenario132TwoWorkersSaveAtTheSameCount: only the second is told.
func TestScenario132TwoWorkersSaveAtTheSameCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		reports := make([]Report, 2)
		var exits [2]int
		var all sync.WaitGroup
		for rank, g := range coordinator.InProcess(2) {
			all.Go(func() {
				o := quiet(&exits[rank])
				o.Workers = g
				r := mustRun(t, dir, nil, o)
				r.took = time.Duration(1+rank) * time.Second
				var err error
				for err == nil {
					if rank == 1 && r.h.TotalRunCalls() == 5 {
						r.h.Notify()
					}
					err = r.h.Run(t.Context(), r.step)
				}
				var p *PreemptedError
				if !errors.As(err, &p) {
					t.Errorf("worker %d: Run() = %v, want a PreemptedError", rank, err)
					return
				}
				reports[rank] = p.Report
				r.close(t)
			})
		}
		all.Wait()
		for rank, r := range reports {
			if r.Runs != 6 || r.Path != "ckpt-1" || r.Rung != Full || exits[rank] != 1 {
				t.Errorf("worker %d: %+v and %d exits, want ckpt-1 after 6 runs and 1", rank, r, exits[rank])
			}
		}
		for info, err := range dir.List(t.Context(), "") {
			if err != nil || info.Name != "checkpoint" && !strings.HasPrefix(info.Name, "ckpt-1.") {
				t.Errorf("there is %q (%v)", info.Name, err)
			}
		}
	})
}

// TestWorkersGoByTheFirstNoticeAndTheLeastTime: the second was told first, and
// all take the rung that it has time for.
func TestWorkersGoByTheFirstNoticeAndTheLeastTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		var reports [2]*Report
		var all sync.WaitGroup
		for rank, g := range coordinator.InProcess(2) {
			all.Go(func() {
				o := quiet(new(int))
				o.Workers, o.Deadline, o.AgreeEvery = g, time.Minute-time.Duration(rank)*10*time.Second, 10
				r := mustRun(t, dir, nil, o)
				r.took = time.Second
				var err error
				for err == nil {
					switch n := r.h.TotalRunCalls(); {
					case rank == 1 && n == 3, rank == 0 && n == 8:
						r.h.Notify()
					}
					err = r.h.Run(t.Context(), r.step)
				}
				reports[rank] = r.h.Report()
				r.close(t)
			})
		}
		all.Wait()
		// It was told after 3 s; the save begins after 11.
		for rank, r := range reports {
			if r == nil || r.Runs != 11 || r.Left != 42*time.Second {
				t.Errorf("worker %d: %+v, want 11 runs and 42s left", rank, r)
			}
		}
	})
}

// TestAWorkerWhoseNoticeRunsOutDoesNotWaitForTheOthers: the machine will not.
func TestAWorkerWhoseNoticeRunsOutDoesNotWaitForTheOthers(t *testing.T) {
	for _, grace := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			dir, begin := mem.Dir(), time.Now()
			errs, exits, ended := make([]error, 2), make([]int, 2), make([]time.Duration, 2)
			var all sync.WaitGroup
			for rank, g := range coordinator.InProcess(2) {
				all.Go(func() {
					o := quiet(&exits[rank])
					o.Workers, o.Deadline, o.GracePeriod = g, 10*time.Second, grace
					r := mustRun(t, dir, nil, o)
					r.took = time.Second
					for errs[rank] == nil {
						switch n := r.h.TotalRunCalls(); {
						case rank == 0 && n == 3:
							r.took = time.Minute
						case rank == 1 && n == 4:
							r.h.Notify()
						}
						errs[rank] = r.h.Run(t.Context(), r.step)
					}
					ended[rank] = time.Since(begin)
					r.h.stop()
				})
			}
			all.Wait()
			var p *PreemptedError
			if !errors.As(errs[1], &p) || p.Report.Rung != Drained || exits[1] != 1 || ended[1] != 14*time.Second {
				t.Errorf("the worker with the notice: %v after %v, %d exits, want Drained after 14s and 1", errs[1], ended[1], exits[1])
			}
			if !errors.Is(errs[0], coordinator.ErrLeft) || exits[0] != 0 {
				t.Errorf("the other: %v and %d exits, want %v and none", errs[0], exits[0], coordinator.ErrLeft)
			}
		})
	}
}

func TestAnErrorOfAStepEndsTheOthersWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("no gradient")
		errs := make([]error, 2)
		var all sync.WaitGroup
		for rank, g := range coordinator.InProcess(2) {
			all.Go(func() {
				exits := 0
				o := quiet(&exits)
				o.Workers, o.AgreeEvery = g, 3
				r := mustRun(t, mem.Dir(), nil, o)
				for errs[rank] == nil {
					errs[rank] = r.h.Run(t.Context(), func(ctx context.Context) error {
						if rank == 1 && r.h.TotalRunCalls() == 4 {
							return bad
						}
						return r.step(ctx)
					})
				}
				r.h.stop()
			})
		}
		all.Wait()
		if !errors.Is(errs[0], coordinator.ErrLeft) || errs[1] != bad {
			t.Errorf("Run() = %v and %v, want %v and %v", errs[0], errs[1], coordinator.ErrLeft, bad)
		}
	})
}
