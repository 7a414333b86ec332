package preemption

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
)

// estimates are how long saves took, 0 where it is not known.
type estimates struct{ full, weights time.Duration }

// learn asks the manager, or else the receipt of a save before a restart. One
// without, TensorFlow's say, teaches nothing.
func (e *estimates) learn(ctx context.Context, m *checkpoint.Manager, path string) {
	if d := m.SaveDuration(); d > 0 {
		e.full = d
	} else if r, err := checkpoint.ReadReceipt(ctx, m.Directory(), path); err == nil {
		e.full = max(e.full, unflushed(r))
	}
}

// unflushed returns how long the save of a receipt may have taken. It was
// written before the disk had everything, which may take as long again.
func unflushed(r checkpoint.Receipt) time.Duration { return 2 * r.Duration }

// margin is what an estimate is to be doubted by.
func margin(d time.Duration) time.Duration { return d + d/2 }

// save saves as much as there is time for.
func (h *CheckpointHandler) save(ctx context.Context, o *checkpoint.SaveOptions) (Report, error) {
	begin := time.Now()
	ctx = context.WithoutCancel(ctx)
	if !h.deadline.IsZero() {
		var cancel func()
		ctx, cancel = context.WithDeadline(ctx, h.deadline)
		defer cancel()
	}
	h.estimates.learn(ctx, h.m, h.m.LatestCheckpoint())
	left, e, err := h.agreeOnTime(ctx)
	r := Report{Rung: e.rung(left, h.o.Weights != nil), Runs: h.now, Left: left, Estimate: e.full}
	switch late := h.late(); {
	case late: // the steps took longer than there was time for
		r.Rung, r.Left = Drained, 0
		r.Passed = append(r.Passed, fmt.Errorf("full save: %w %v ago", context.DeadlineExceeded, time.Since(h.deadline)))
	case err != nil:
		return Report{}, err
	case r.Rung > Full:
		r.Passed = append(r.Passed, fmt.Errorf("full save: takes %v, and %v are left", e.full, left))
	}
	if err := h.climbDown(ctx, &r, e, o); err != nil {
		return r, err
	}
	r.Took = time.Since(begin)
	h.o.Logger.Warn("saved because the end is announced", "what", r.Rung.String(), "path", r.Path, "runs", r.Runs,
		"took", r.Took, "left", r.Left, "estimate", r.Estimate, "passed", r.Passed)
	h.last = &r
	return r, nil
}

// Report returns what became of the newest save, nil if there was none.
func (h *CheckpointHandler) Report() *Report { return h.last }

// agreeOnTime returns the least time that any worker has left, 0 if it is not
// known, and the estimates of worker 0, so that all choose the same.
func (h *CheckpointHandler) agreeOnTime(ctx context.Context) (time.Duration, estimates, error) {
	type times struct{ Left, Full, Weights time.Duration }
	mine := times{Full: h.estimates.full, Weights: h.estimates.weights}
	if !h.deadline.IsZero() {
		mine.Left = max(time.Until(h.deadline), 1)
	}
	text, err := json.Marshal(mine)
	if err != nil {
		return 0, estimates{}, err
	}
	all, err := h.o.Workers.AllGather(ctx, agreement+" time", text)
	if err != nil {
		return 0, estimates{}, fmt.Errorf("preemption: workers: %w", err)
	}
	var e estimates
	for rank, text := range all {
		var t times
		if err := json.Unmarshal(text, &t); err != nil {
			return 0, estimates{}, fmt.Errorf("preemption: worker %d: %w", rank, err)
		}
		if rank == 0 {
			e = estimates{t.Full, t.Weights}
		}
		if t.Left > 0 && (mine.Left == 0 || t.Left < mine.Left) {
			mine.Left = t.Left
		}
	}
	return mine.Left, e, nil
}

// rung returns the highest that there seems to be time for. What is not known
// is tried.
func (e estimates) rung(left time.Duration, weights bool) Rung {
	switch {
	case left == 0 || left >= margin(e.full):
		return Full
	case weights && left >= margin(e.weights):
		return WeightsOnly
	}
	return Drained
}

// climbDown tries the rungs from r's on.
func (h *CheckpointHandler) climbDown(ctx context.Context, r *Report, e estimates, o *checkpoint.SaveOptions) (err error) {
	var failed error // not for lack of time
	for ; ; r.Rung++ {
		switch {
		case r.Rung == Full:
			r.Path, err = h.full(ctx, e, o)
		case r.Rung == WeightsOnly && h.o.Weights == nil:
			continue
		case r.Rung == WeightsOnly:
			r.Path, err = h.weights(ctx)
		default:
			// What this returns are the errors of saves of before. That time
			// is over is none: there is nothing else to be done with it.
			err := h.drain(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				r.Passed, err = append(r.Passed, fmt.Errorf("%v: %w", r.Rung, err)), nil
			}
			return errors.Join(failed, err)
		}
		if err == nil {
			return nil
		}
		r.Path, r.Passed = "", append(r.Passed, fmt.Errorf("%v: %w", r.Rung, err))
		if !errors.Is(err, context.DeadlineExceeded) {
			failed = errors.Join(failed, err)
		}
		h.o.Logger.Error("save failed although the end is announced", "what", r.Rung.String(), "err", err)
	}
}

// drain waits for the asynchronous saves that were begun.
func (h *CheckpointHandler) drain(ctx context.Context) error {
	err := h.m.Sync(ctx)
	if err != nil && ctx.Err() == nil {
		h.o.Logger.Error("an earlier save had failed", "err", err)
		err = nil
	}
	return err
}

// full saves everything. If it takes longer than it is thought to, it leaves
// time for the weights.
func (h *CheckpointHandler) full(ctx context.Context, e estimates, o *checkpoint.SaveOptions) (path string, err error) {
	if h.o.Weights != nil && !h.deadline.IsZero() {
		until := h.deadline.Add(-margin(e.weights))
		if doubted := time.Now().Add(margin(e.full)); doubted.After(until) {
			until = doubted
		}
		var cancel func()
		ctx, cancel = context.WithDeadline(ctx, until)
		defer cancel()
	}
	if err := h.drain(ctx); err != nil {
		return "", err
	}
	begin := time.Now()
	was := h.runs.Value[0]
	h.runs.Value[0] = h.now
	if h.o.Save != nil {
		path, err = h.o.Save(ctx, h.m)
	} else {
		path, err = h.synchronously(ctx, o)
	}
	if err != nil {
		h.runs.Value[0] = was
		return "", err
	}
	h.estimates.full = max(h.estimates.full, time.Since(begin))
	return path, nil
}

// synchronously saves by the manager, and waits if that would not.
func (h *CheckpointHandler) synchronously(ctx context.Context, o *checkpoint.SaveOptions) (string, error) {
	var mine checkpoint.SaveOptions
	if o != nil {
		mine = *o
	}
	mine.Force = true
	s, err := h.m.Begin(ctx, &mine)
	switch {
	case s == nil && err != nil:
		return "", err
	case s == nil:
		return h.m.LatestCheckpoint(), nil // of this very step
	case err != nil:
		h.o.Logger.Error("an earlier save had failed", "err", err)
	}
	return s.Path(), s.Wait(ctx)
}

// weights saves the smaller Checkpoint.
func (h *CheckpointHandler) weights(ctx context.Context) (string, error) {
	begin := time.Now()
	w := h.o.Weights
	if err := w.Checkpoint.Write(ctx, w.Dir, w.path()); err != nil {
		return "", err
	}
	if err := w.Checkpoint.Sync(ctx); err != nil {
		return "", err
	}
	h.estimates.weights = max(h.estimates.weights, time.Since(begin))
	return w.path(), nil
}
