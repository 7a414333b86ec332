package preemption

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// child trains, and gets SIGTERM after 7 runs.
// run is a program that trains: a step adds one to v.
type run struct {
	v    *trackable.Variable[int64]
	c    *checkpoint.Checkpoint
	m    *checkpoint.Manager
	h    *CheckpointHandler
	took time.Duration // by a step
}

func newRun(ctx context.Context, dir storage.Dir, mo *checkpoint.ManagerOptions, o *TerminationConfig) (*run, error) {
	r := &run{v: trackable.NewScalar("v", int64(0))}
	var co checkpoint.Options
	if o != nil {
		co.Workers = o.Workers
	}
	r.c = checkpoint.New(nil, checkpoint.Objects{"v": r.v}, &co)
	var err error
	if r.m, err = checkpoint.NewManager(ctx, r.c, dir, mo); err != nil {
		return nil, err
	}
	r.h, err = NewCheckpointHandler(ctx, r.m, o)
	return r, err
}

func (r *run) step(ctx context.Context) error {
	if r.took > 0 {
		<-time.After(r.took) // of synctest's clock
	}
	r.v.Value[0]++
	return ctx.Err()
}

func (r *run) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(r.h.Close(t.Context()), r.m.Close(t.Context())); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

func mustRun(t *testing.T, dir storage.Dir, mo *checkpoint.ManagerOptions, o *TerminationConfig) *run {
	t.Helper()
	r, err := newRun(t.Context(), dir, mo, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// quiet returns a config that watches nothing and counts the exits.
func quiet(exits *int) *TerminationConfig {
	return &TerminationConfig{
		Watcher: func(context.Context) bool { return false }, PollInterval: 1000 * time.Hour,
		Exit: func() { *exits++ },
	}
}

func TestASecondCloseDoesNothing(t *testing.T) {
	v, saves := trackable.NewScalar("v", int64(0)), 0
	o := quiet(new(int))
	o.Save = func(ctx context.Context, m *checkpoint.Manager) (string, error) { saves++; return m.Save(ctx, nil) }
	h, err := ForCheckpoint(t.Context(), checkpoint.New(nil, checkpoint.Objects{"v": v}, nil), mem.Dir(), o)
	if err != nil {
		t.Fatal(err)
	}
	h.Notify()
	for range 2 {
		if err := h.Close(t.Context()); err != nil || saves != 1 {
			t.Errorf("Close() = %v after %d saves, want nil after 1", err, saves)
		}
	}
}

func TestTheLoopThatEndsBeforeTheSaveSavesInClose(t *testing.T) {
	for _, steps := range []int{0, 1} { // after the notice
		dir, exits := mem.Dir(), 0
		r := mustRun(t, dir, nil, quiet(&exits))
		mustStep(t, r)
		r.h.Notify()
		for range steps {
			mustStep(t, r)
		}
		r.close(t)
		if exits != 0 {
			t.Errorf("Close has called Exit")
		}
		again := mustRun(t, dir, nil, quiet(&exits))
		if n := again.h.TotalRunCalls(); n != int64(1+steps) {
			t.Errorf("restarted with %d runs, want %d", n, 1+steps)
		}
		again.close(t)
	}
}

func mustStep(t *testing.T, r *run) {
	t.Helper()
	if err := r.h.Run(t.Context(), r.step); err != nil {
		t.Fatalf("Run() = %v", err)
	}
}

func TestScenario131AGracePeriodTwoSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, exits := mem.Dir(), 0
		o := quiet(&exits)
		o.GracePeriod = 20 * time.Second
		r := mustRun(t, dir, &checkpoint.ManagerOptions{MaxToKeep: 9}, o)
		r.took = time.Second
		var noticed time.Time
		var err error
		for n := 0; err == nil && n < 100; n++ {
			if n == 3 {
				r.h.Notify()
				noticed = time.Now()
			}
			err = r.h.Run(t.Context(), r.step)
		}
		var p *PreemptedError
		if !errors.As(err, &p) || exits != 1 {
			t.Fatalf("Run() = %v after %d exits, want a PreemptedError after 1", err, exits)
		}
		// The final call is at 14 s, and one more step is made.
		if d := time.Since(noticed); d != 15*time.Second || p.Report.Runs != 3+15 {
			t.Errorf("exited after %v and %d runs, want 15s and 18", d, p.Report.Runs)
		}
		if got := r.m.Checkpoints(); !slices.Equal(got, []string{"ckpt-1", "ckpt-2"}) {
			t.Errorf("saved %q, want two", got)
		}
		first := trackable.NewScalar(runsName, int64(0))
		c := checkpoint.New(nil, checkpoint.Objects{runsName: first}, nil)
		if _, err := c.Restore(t.Context(), dir, "ckpt-1"); err != nil || first.Value[0] != 4 {
			t.Errorf("the first save has %d runs (%v), want 4", first.Value[0], err)
		}
		if again := r.h.Run(t.Context(), r.step); !errors.As(again, &p) || exits != 1 {
			t.Errorf("Run() after the end = %v after %d exits, want a PreemptedError and no other exit", again, exits)
		}
		r.close(t)
	})
}

func TestScenario133APendingSaveInTheBackgroundComesFirst(t *testing.T) {
	for _, full := range []checkpoint.WhenFull{checkpoint.Block, checkpoint.Skip, checkpoint.Replace} {
		synctest.Test(t, func(t *testing.T) {
			dir := &slow{Dir: mem.Dir(), each: time.Minute}
			var atExit []string
			var latest string
			o := quiet(new(int))
			var r *run
			o.Exit = func() { atExit, latest = r.m.Checkpoints(), r.m.LatestCheckpoint() }
			r = mustRun(t, dir, &checkpoint.ManagerOptions{Async: &checkpoint.Async{WhenFull: full}}, o)
			mustStep(t, r)
			if _, err := r.m.Save(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r.h.Notify()
			mustStep(t, r)
			if err := r.h.Run(t.Context(), r.step); err == nil {
				t.Error("Run() = nil, want a PreemptedError")
			}
			if !slices.Equal(atExit, []string{"ckpt-1", "ckpt-2"}) || latest != "ckpt-2" {
				t.Errorf("when full %v: at the exit there are %q, the latest is %q, want both saves written", full, atExit, latest)
			}
			r.close(t)
		})
	}
}

// TestTheSaveDoesNotWaitForAnInterval that the manager has.
func TestTheSaveDoesNotWaitForAnInterval(t *testing.T) {
	exits := 0
	var r *run
	mo := &checkpoint.ManagerOptions{CheckpointInterval: 100, StepCounter: func() int64 { return r.v.Value[0] }}
	r = &run{v: trackable.NewScalar("v", int64(0))}
	r.c = checkpoint.New(nil, checkpoint.Objects{"v": r.v}, nil)
	var err error
	if r.m, err = checkpoint.NewManager(t.Context(), r.c, mem.Dir(), mo); err != nil {
		t.Fatal(err)
	}
	if r.h, err = NewCheckpointHandler(t.Context(), r.m, quiet(&exits)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.m.Save(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	r.h.Notify()
	mustStep(t, r)
	var p *PreemptedError
	if err := r.h.Run(t.Context(), r.step); !errors.As(err, &p) || p.Report.Path != "ckpt-2" {
		t.Errorf("Run() = %v, want a PreemptedError with ckpt-2", err)
	}
	r.close(t)
}

// TestTheGracePeriodHasTimeForTheSaveItself, which is as slow as the one before.
func TestTheGracePeriodHasTimeForTheSaveItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, exits := &slow{Dir: mem.Dir(), each: 5 * time.Second}, 0 // four files
		o := quiet(&exits)
		o.GracePeriod = 2 * time.Minute
		r := mustRun(t, dir, nil, o)
		r.took = time.Second
		r.h.Notify()
		noticed := time.Now()
		var err error
		for err == nil {
			err = r.h.Run(t.Context(), r.step)
		}
		if d := time.Since(noticed); d > o.GracePeriod || d < time.Minute || r.m.LatestCheckpoint() != "ckpt-2" {
			t.Errorf("exited after %v with %s (%v), want ckpt-2 in time, and not too early", d, r.m.LatestCheckpoint(), err)
		}
		r.close(t)
	})
}

func TestScenario134ACheckpointWithoutADirectoryAndAManagerOfTheUser(t *testing.T) {
	exits := 0
	c := checkpoint.New(nil, checkpoint.Objects{"v": trackable.NewScalar("v", int64(1))}, nil)
	if _, err := ForCheckpoint(t.Context(), c, nil, quiet(&exits)); err == nil {
		t.Error("ForCheckpoint without a directory = nil, want an error")
	}
	dir := mem.Dir()
	h, err := ForCheckpoint(t.Context(), c, dir, quiet(&exits))
	if err != nil {
		t.Fatal(err)
	}
	h.Notify()
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The manager of the user reads that, and writes beside it.
	r := mustRun(t, dir, &checkpoint.ManagerOptions{MaxToKeep: 5}, quiet(&exits))
	if r.v.Value[0] != 1 {
		t.Errorf("restored %d, want 1", r.v.Value[0])
	}
	r.h.Notify()
	mustStep(t, r)
	if err := r.h.Run(t.Context(), r.step); err == nil || exits != 1 {
		t.Errorf("Run() = %v after %d exits, want a PreemptedError after 1", err, exits)
	}
	if got := r.m.Checkpoints(); !slices.Equal(got, []string{"ckpt-1", "ckpt-2"}) {
		t.Errorf("the manager has %q, want both", got)
	}
	r.close(t)
}

// TestTheProgramsOwnHandlerStays: os/signal tells both.
func TestAWatcherIsAskedUntilItSaysYes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exits, asked := 0, 0
		begin := time.Now()
		o := &TerminationConfig{Exit: func() { exits++ }, PollInterval: 10 * time.Second, Watcher: func(context.Context) bool {
			asked++
			return time.Since(begin) > time.Minute
		}}
		r := mustRun(t, mem.Dir(), nil, o)
		r.took = time.Second
		var err error
		for err == nil {
			err = r.h.Run(t.Context(), r.step)
		}
		if n := r.h.TotalRunCalls(); exits != 1 || n < 70 || n > 72 || asked != 8 {
			t.Errorf("exited %d times after %d runs, asked %d times, want once after 71, and 8 times", exits, n, asked)
		}
		r.close(t)
	})
}

// TestTheSaveDoesNotEndWithTheContext, which may have ended by the same signal.
func TestTheSaveDoesNotEndWithTheContext(t *testing.T) {
	exits := 0
	r := mustRun(t, mem.Dir(), nil, quiet(&exits))
	mustStep(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	r.h.Notify()
	mustStep(t, r)
	cancel()
	var p *PreemptedError
	if err := r.h.Run(ctx, r.step); !errors.As(err, &p) || p.Report.Path != "ckpt-1" {
		t.Errorf("Run() = %v, want a PreemptedError with ckpt-1", err)
	}
	r.close(t)
}

func TestASaveThatFailsIsAnErrorAndNoExit(t *testing.T) {
	exits := 0
	o := quiet(&exits)
	bad := errors.New("the disk is full")
	o.Save = func(context.Context, *checkpoint.Manager) (string, error) { return "", bad }
	r := mustRun(t, mem.Dir(), nil, o)
	r.h.Notify()
	mustStep(t, r)
	if err := r.h.Run(t.Context(), r.step); !errors.Is(err, bad) || exits != 0 {
		t.Errorf("Run() = %v after %d exits, want %v and none", err, exits, bad)
	}
	o.Save = nil
	r.h.o.Save = func(_ context.Context, m *checkpoint.Manager) (string, error) { return m.Save(t.Context(), nil) }
	if err := r.h.Run(t.Context(), r.step); err == nil || exits != 1 {
		t.Errorf("Run() tried again = %v after %d exits, want a PreemptedError after 1", err, exits)
	}
	r.close(t)
}

func TestSaveCheckpointIfPreemptedCountsAndMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exits := 0
		o := quiet(&exits)
		o.GracePeriod = 20 * time.Second
		r := mustRun(t, mem.Dir(), nil, o)
		r.took = time.Second
		step := int64(77)
		var err error
		for n := 0; err == nil && n < 100; n++ {
			if n == 3 {
				r.h.Notify()
			}
			if err = r.step(t.Context()); err == nil {
				err = r.h.SaveCheckpointIfPreempted(t.Context(), &checkpoint.SaveOptions{Step: &step})
			}
		}
		if mean := r.h.steps.mean; mean != time.Second || exits != 1 {
			t.Errorf("a step is taken to need %v, and there were %d exits, want 1s and 1", mean, exits)
		}
		receipt, failed := checkpoint.ReadReceipt(t.Context(), r.m.Directory(), r.m.LatestCheckpoint())
		if failed != nil || receipt.Step == nil || *receipt.Step != step {
			t.Errorf("the receipt has step %v (%v), want %d", receipt.Step, failed, step)
		}
		r.close(t)
	})
}

func TestACheckpointOfBeforeThereWasAHandlerIsRestored(t *testing.T) {
	dir, exits := mem.Dir(), 0
	c := checkpoint.New(nil, checkpoint.Objects{"v": trackable.NewScalar("v", int64(5))}, nil)
	if _, err := c.Save(t.Context(), dir, "ckpt"); err != nil {
		t.Fatal(err)
	}
	r := mustRun(t, dir, nil, quiet(&exits))
	if r.v.Value[0] != 5 || r.h.TotalRunCalls() != 0 {
		t.Errorf("restored %d after %d runs, want 5 after 0", r.v.Value[0], r.h.TotalRunCalls())
	}
	mustStep(t, r)
	r.h.Notify()
	r.close(t)
	if again := mustRun(t, dir, nil, quiet(&exits)); again.h.TotalRunCalls() != 1 {
		t.Errorf("restarted with %d runs, want 1", again.h.TotalRunCalls())
	} else {
		again.close(t)
	}
}

func TestWhatNoConfigCanSayIsRefused(t *testing.T) {
	c := checkpoint.New(nil, nil, nil)
	m, err := checkpoint.NewManager(t.Context(), c, mem.Dir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []TerminationConfig{{GracePeriod: -1}, {Deadline: -1}, {PollInterval: -1}, {AgreeEvery: -1}, {Weights: &Weights{}}} {
		if h, err := NewCheckpointHandler(t.Context(), m, &o); err == nil {
			h.stop()
			t.Errorf("NewCheckpointHandler(%+v) = nil, want an error", o)
		}
	}
	if _, err := NewCheckpointHandler(t.Context(), nil, nil); err == nil {
		t.Error("NewCheckpointHandler without a manager = nil, want an error")
	}
}
