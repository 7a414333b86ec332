package preemption

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// runsName is the edge to the number of runs, and the variable's name
// (distribute/failure_handling/failure_handling.py, _ITERATION_VARIABLE).
const runsName = "checkpointed_runs"

// CheckpointHandler saves when the end is announced. Its Run,
// SaveCheckpointIfPreempted and Close are for one goroutine, that which trains.
// (TensorFlow: tf.distribute.experimental.PreemptionCheckpointHandler)
type CheckpointHandler struct {
	m    *checkpoint.Manager
	own  bool // the manager was made here
	o    TerminationConfig
	runs *trackable.Variable[int64] // as saved
	now  int64                      // TotalRunCalls

	stop func() // of the watching
	mu   sync.Mutex
	// noticed is when the end was announced to this worker; nil: it was not.
	// It is one value under a mutex, so that nobody sees that there is a
	// notice before its time.
	noticed *time.Time

	saveAt   int64     // after how many runs to save; -1: not decided
	since    time.Time // of the first notice of any worker
	final    time.Time // when the grace period is nearly over; zero: it has not begun
	deadline time.Time // zero: not known
	last     *Report   // of the newest save
	ended    bool      // that is the last
	closed   bool

	steps     steps
	estimates estimates
}

// NewCheckpointHandler restores m's latest checkpoint, if there is one, else
// calls m's InitFn, and watches from now on. It adds the number of Run calls to
// what m saves, as "checkpointed_runs".
// (TensorFlow: tf.distribute.experimental.PreemptionCheckpointHandler)
func NewCheckpointHandler(ctx context.Context, m *checkpoint.Manager, o *TerminationConfig) (*CheckpointHandler, error) {
	if m == nil {
		return nil, errors.New("preemption handler: no manager given")
	}
	h := &CheckpointHandler{m: m, saveAt: -1}
	if o != nil {
		h.o = *o
	}
	if err := h.o.complete(); err != nil {
		return nil, fmt.Errorf("preemption handler: %w", err)
	}
	if err := h.restore(ctx); err != nil {
		return nil, fmt.Errorf("preemption handler: %w", err)
	}
	h.watch()
	return h, nil
}

// ForCheckpoint returns a handler with a manager of its own, which keeps one
// checkpoint of c in dir.
// (TensorFlow: tf.distribute.experimental.PreemptionCheckpointHandler)
func ForCheckpoint(ctx context.Context, c *checkpoint.Checkpoint, dir storage.Dir, o *TerminationConfig) (*CheckpointHandler, error) {
	if c == nil || dir == nil {
		return nil, errors.New("preemption handler: a checkpoint needs a directory")
	}
	m, err := checkpoint.NewManager(ctx, c, dir, &checkpoint.ManagerOptions{MaxToKeep: 1})
	if err != nil {
		return nil, fmt.Errorf("preemption handler: %w", err)
	}
	h, err := NewCheckpointHandler(ctx, m, o)
	if err != nil {
		return nil, errors.Join(err, m.Close(ctx))
	}
	h.own = true
	return h, nil
}

// restore restores what m saves, with the number of runs where it is stored:
// checkpoints of before there was a handler do not have it, and a manager does
// not restore around what is missing. Tracked before, it has the place in the
// graph that it has in TensorFlow.
func (h *CheckpointHandler) restore(ctx context.Context) error {
	c := h.m.Checkpoint()
	c.Untrack(runsName)
	h.runs = trackable.NewScalar(runsName, int64(0))
	latest := h.m.LatestCheckpoint()
	stored := latest == "" || hasRuns(ctx, h.m.Directory(), latest)
	if stored {
		c.Track(runsName, h.runs)
	}
	path, err := h.m.RestoreOrInitialize(ctx)
	if err != nil {
		return err
	}
	if !stored {
		c.Track(runsName, h.runs)
	}
	h.estimates.learn(ctx, h.m, path)
	if w := h.o.Weights; w != nil {
		if r, err := checkpoint.ReadReceipt(ctx, w.Dir, w.path()); err == nil {
			h.estimates.weights = unflushed(r)
		}
	}
	if h.now = h.runs.Value[0]; h.now < 0 {
		return fmt.Errorf("%s: %s is %d, want 0 or more", path, runsName, h.now)
	}
	return nil
}

// hasRuns reports whether a checkpoint has the number of runs. One that cannot
// be read is for the restore to complain of.
func hasRuns(ctx context.Context, dir storage.Dir, path string) bool {
	r, err := checkpoint.Load(ctx, dir, path)
	if err != nil {
		return true
	}
	_, err = r.Info(runsName + "/.ATTRIBUTES/VARIABLE_VALUE")
	return errors.Join(err, r.Close()) == nil || !errors.Is(err, format.ErrNoTensor)
}

// TotalRunCalls returns how often Run has run a step, counting those before
// the checkpoint that was restored.
// (TensorFlow: tf.distribute.experimental.PreemptionCheckpointHandler.total_run_calls)
func (h *CheckpointHandler) TotalRunCalls() int64 { return h.now }

// Run saves, and exits, if it is time for that, and runs step otherwise. An
// error of step is returned as it is; other workers are told that this one has
// left. If TerminationConfig.Exit returns, Run returns a *PreemptedError and
// does not run step. A save is made even if ctx has ended: that may be due to
// the same signal.
// (TensorFlow: tf.distribute.experimental.PreemptionCheckpointHandler.run)
func (h *CheckpointHandler) Run(ctx context.Context, step func(ctx context.Context) error) error {
	if err := h.check(ctx, nil); err != nil {
		return err
	}
	begin := time.Now()
	if err := step(ctx); err != nil {
		h.leave(ctx)
		return err
	}
	h.ran(time.Since(begin))
	return nil
}

// SaveCheckpointIfPreempted is Run for a loop that makes its steps itself: it
// counts as a run of whatever was done since the last call. o are the options
// of a save, if there is one.
// (TensorFlow: tf.distribute.experimental.PreemptionCheckpointHandler.save_checkpoint_if_preempted)
func (h *CheckpointHandler) SaveCheckpointIfPreempted(ctx context.Context, o *checkpoint.SaveOptions) error {
	now := time.Now()
	if !h.steps.last.IsZero() {
		h.steps.add(now.Sub(h.steps.last))
	}
	err := h.check(ctx, o)
	h.steps.last = time.Now() // a save is no step
	if err == nil {
		h.now++
	}
	return err
}

func (h *CheckpointHandler) ran(took time.Duration) {
	h.now++
	h.steps.add(took)
}

// steps are the times of steps, of this process alone: TensorFlow's mean
// counts those before a restart, which it has not measured.
type steps struct {
	n    int64
	mean time.Duration
	last time.Time // when SaveCheckpointIfPreempted returned
}

func (s *steps) add(d time.Duration) {
	s.n++
	s.mean += (d - s.mean) / time.Duration(s.n)
}

// leave ends the others' waiting for this worker.
func (h *CheckpointHandler) leave(ctx context.Context) {
	if h.o.Workers.Size() == 1 {
		return
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := h.o.Workers.AllGather(gone, agreement, nil); !errors.Is(err, context.Canceled) && !errors.Is(err, coordinator.ErrLeft) {
		h.o.Logger.Warn("other workers may wait in vain", "err", err)
	}
}

// Close ends the watching. If the end was announced and the save that it asks
// for has not been made, because the steps are over, it is made now, but Exit
// is not called: the program ends anyway. With Workers all call it. A second
// Close does nothing.
func (h *CheckpointHandler) Close(ctx context.Context) error {
	if h.closed {
		return nil
	}
	h.closed = true
	defer h.stop()
	var err error
	if !h.ended {
		err = h.closing(ctx)
	}
	if h.own {
		if failed := h.m.Close(context.WithoutCancel(ctx)); err == nil {
			err = failed
		}
	}
	return err
}

// closing saves what is still to be saved.
func (h *CheckpointHandler) closing(ctx context.Context) error {
	pending := h.saveAt >= 0 || !h.final.IsZero()
	if !pending {
		v, err := h.ask(ctx)
		if err != nil {
			return err
		}
		if pending = v.due; pending {
			h.announce(v)
		}
	}
	// After a save in the grace period nothing may have been done since.
	if !pending || h.saveAt < 0 && h.runs.Value[0] == h.now {
		return nil
	}
	_, err := h.save(ctx, nil)
	return err
}
