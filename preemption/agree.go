package preemption

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
)

// agreement is the round in which the workers tell each other of notices. It
// takes place at the same counts of runs everywhere, so that what is decided
// in it is decided for the same count.
const agreement = "preemption"

// voice is what a worker says in it.
type voice struct {
	Runs    int64
	Noticed bool
	Ago     time.Duration // since the notice: clocks need not agree
	Due     bool          // a save is to be made: the first, or that at the end
}

// verdict is what follows from all.
type verdict struct {
	due   bool
	since time.Time // of the first notice; zero: there was none
}

// ask asks all workers. It works without the caller's context ending it when
// this worker has had a notice, since both may be due to one signal.
func (h *CheckpointHandler) ask(ctx context.Context) (verdict, error) {
	v := voice{Runs: h.now}
	v.Ago, v.Noticed = h.notice()
	v.Due = v.Noticed
	if !h.final.IsZero() {
		v.Due = !time.Now().Before(h.final)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return verdict{}, err
	}
	if h.o.Workers.Size() == 1 {
		return h.judge([][]byte{text})
	}
	if v.Noticed {
		var cancel func()
		ctx, cancel = h.until(ctx, time.Now().Add(-v.Ago))
		defer cancel()
	}
	all, err := h.o.Workers.AllGather(ctx, agreement, text)
	if err != nil {
		return verdict{}, fmt.Errorf("preemption: workers: %w", err)
	}
	return h.judge(all)
}

// until returns a context without the end of ctx, but with that of the
// machine, if it is known.
func (h *CheckpointHandler) until(ctx context.Context, since time.Time) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if h.o.Deadline == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, since.Add(h.o.Deadline))
}

func (h *CheckpointHandler) judge(all [][]byte) (verdict, error) {
	var said verdict
	now := time.Now()
	for rank, text := range all {
		var v voice
		if err := json.Unmarshal(text, &v); err != nil {
			return verdict{}, fmt.Errorf("preemption: worker %d: %w", rank, err)
		}
		if v.Runs != h.now {
			return verdict{}, fmt.Errorf("preemption: worker %d has made %d runs, this one %d: all must call Run equally often", rank, v.Runs, h.now)
		}
		said.due = said.due || v.Due
		if since := now.Add(-v.Ago); v.Noticed && (said.since.IsZero() || since.Before(said.since)) {
			said.since = since
		}
	}
	return said, nil
}

// check finds out whether to save now, and does.
func (h *CheckpointHandler) check(ctx context.Context, o *checkpoint.SaveOptions) error {
	if h.ended {
		return &PreemptedError{*h.last}
	}
	if h.saveAt >= 0 && h.now >= h.saveAt {
		return h.saveAndGoOn(ctx, o)
	}
	if h.saveAt >= 0 || h.now%h.o.AgreeEvery != 0 {
		return nil
	}
	v, err := h.ask(ctx)
	if errors.Is(err, context.DeadlineExceeded) && h.noticeRanOut() {
		h.o.Logger.Error("other workers did not answer before the deadline", "err", err)
		ago, _ := h.notice()
		h.announce(verdict{due: true, since: time.Now().Add(-ago)})
		return h.saveAndGoOn(ctx, o)
	}
	if err != nil {
		return err
	}
	if v.due {
		h.announce(v)
	}
	return nil
}

// noticeRanOut reports whether the deadline of this worker's own notice has
// passed.
func (h *CheckpointHandler) noticeRanOut() bool {
	ago, noticed := h.notice()
	return noticed && h.o.Deadline > 0 && ago >= h.o.Deadline
}

// late reports whether the deadline that all go by has passed.
func (h *CheckpointHandler) late() bool {
	return !h.deadline.IsZero() && !time.Now().Before(h.deadline)
}

// announce decides that all save after one more step, as TensorFlow does.
func (h *CheckpointHandler) announce(v verdict) {
	h.saveAt = h.now + 1
	if h.since.IsZero() {
		h.since = v.since
		if h.o.Deadline > 0 {
			h.deadline = h.since.Add(h.o.Deadline)
		}
	}
	h.o.Logger.Warn("the end is announced, all save after one more step", "runs", h.saveAt, "deadline", h.deadline)
}

// saveAndGoOn saves, and exits or goes on training for the grace period.
func (h *CheckpointHandler) saveAndGoOn(ctx context.Context, o *checkpoint.SaveOptions) error {
	first := h.final.IsZero()
	report, err := h.save(ctx, o)
	if err != nil {
		return err
	}
	if first && h.o.GracePeriod > 0 && !h.late() {
		// One more step is made after the last look, others may be behind by
		// one, and both may take three times as long as the mean
		// (failure_handling.py). TensorFlow leaves no time for the save.
		h.final = h.since.Add(h.o.GracePeriod - 3*2*h.steps.mean - margin(h.estimates.full))
		h.saveAt = -1
		h.o.Logger.Warn("training goes on for the grace period", "until", h.final)
		return nil
	}
	h.ended = true
	h.stop()
	h.o.Logger.Warn("exiting", "runs", h.now, "path", report.Path)
	h.o.Exit()
	return &PreemptedError{report}
}
