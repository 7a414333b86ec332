package checkpoint

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// SaveOptions are about one save. Nil and zero values are the defaults.
type SaveOptions struct {
	// CheckpointNumber is used in the name instead of the save counter, which
	// counts nevertheless. An existing checkpoint of that number is replaced.
	// (TensorFlow: checkpoint_number)
	CheckpointNumber *int64
	// Force saves before CheckpointInterval is over, but not twice at one
	// step. (TensorFlow: check_interval=False)
	Force bool
	// Step goes into the receipt. Default: what StepCounter returns.
	Step *int64
	// Metrics go into the receipt, and retention policies see them.
	Metrics map[string]float64
}

// Save saves the checkpoint if it is due, and returns its path, or "" if it is
// not. When Save returns without error the checkpoint is durable and the
// latest; what retention no longer wants is removed then. A removal that fails
// does not fail the save: it is told to the Logger, the checkpoint stays
// listed, the next save tries again, and Close returns what is left undone.
//
// A save that fails changes neither save counter nor interval nor list.
// (TensorFlow: tf.train.CheckpointManager.save)
func (m *Manager) Save(ctx context.Context, o *SaveOptions) (path string, err error) {
	if o == nil {
		o = new(SaveOptions)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return "", errManagerClosed
	}
	s := &save{m: m, o: o}
	if !s.due() {
		return "", nil
	}
	if m.exact() && s.at != nil {
		m.lastStep = s.at // also if the save fails
	}
	if !m.c.busy.TryLock() {
		return "", fmt.Errorf("save: %w", ErrSaving)
	}
	defer m.c.busy.Unlock()
	err = m.lockFirst(ctx)
	if err == nil {
		err = inTurn(ctx, m.lock, func() error { return s.run(ctx) })
	}
	if err != nil {
		if s.path == "" {
			return "", fmt.Errorf("save: %w", err)
		}
		return "", fmt.Errorf("save %s: %w", s.path, err)
	}
	return s.path, nil
}

// save is one call of Save.
type save struct {
	m    *Manager
	o    *SaveOptions
	step *int64 // for the receipt
	at   *int64 // what StepCounter returns
	path string
}

// due asks the interval (checkpoint_management.py, CheckpointManager.save).
func (s *save) due() bool {
	s.step = s.o.Step
	if s.m.o.StepCounter == nil {
		return true
	}
	now := s.m.o.StepCounter()
	s.at = &now
	if s.step == nil {
		s.step = &now
	}
	last := s.m.lastStep
	if s.m.o.CheckpointInterval == 0 || last == nil {
		return true
	}
	return now != *last && (s.o.Force || now >= *last+s.m.o.CheckpointInterval)
}

func (s *save) run(ctx context.Context) error {
	m := s.m
	start := m.o.Now()
	if err := m.openForWriting(ctx); err != nil {
		return err
	}
	w := &writing{dir: m.dir, now: m.o.Now, start: start, log: m.o.Logger}
	w.receipt = Receipt{Writer: WriterManager, Step: s.step, Metrics: s.o.Metrics}
	if err := s.commit(ctx, w); err != nil {
		return err
	}
	m.o.Logger.Info("saved", "path", s.path, "bytes", w.size(), "took", w.receipt.Duration)
	// From here on the save has succeeded, whatever happens.
	m.failed = m.sweep(ctx)
	return nil
}

// commit publishes the checkpoint and then records it. Only when both are
// done does the manager believe in it.
func (s *save) commit(ctx context.Context, w *writing) error {
	m := s.m
	next := func(was int64) (int64, error) { return s.next(ctx, w, was) }
	return m.c.counting(next, func(count int64) error {
		s.path = numbered(m.l.name, s.number(count))
		w.path = s.path
		next, err := s.publish(ctx, w)
		if err != nil {
			m.half = append(m.half, s.entry(w.receipt.Time))
			m.files.stale = true
			return err
		}
		m.l, m.half = next, nil
		m.files.saved(w, m.l.name)
		if s.at != nil {
			m.lastStep = s.at
		}
		return nil
	})
}

// publish returns the list as it is when the checkpoint and the state file are
// written.
func (s *save) publish(ctx context.Context, w *writing) (ledger, error) {
	next, err := s.m.adoptHalf(ctx)
	if err != nil {
		return ledger{}, err
	}
	if err := s.m.c.hand(w); err != nil {
		return ledger{}, err
	}
	if err := w.publish(ctx); err != nil {
		return ledger{}, err
	}
	next = next.saved(s.entry(w.receipt.Time))
	return next, s.m.record(ctx, next, storage.WriteFile)
}

// next returns what the save counter becomes: the next number that is free. A
// number that the caller chose says nothing about the counter.
func (s *save) next(ctx context.Context, w *writing, was int64) (int64, error) {
	if n := s.o.CheckpointNumber; n != nil {
		if *n < 0 {
			return 0, fmt.Errorf("CheckpointNumber is %d, want 0 or more", *n)
		}
		return after(was)
	}
	if s.m.exact() {
		return after(was)
	}
	n, err := after(max(was, s.taken()))
	if err != nil {
		return 0, err
	}
	is, err := occupied(ctx, s.m.dir, numbered(s.m.l.name, n))
	if err != nil || !is {
		w.free = true
		return n, err
	}
	// Somebody else writes checkpoints of this name.
	if err := s.m.survey(ctx); err != nil {
		return 0, err
	}
	return after(max(was, s.taken()))
}

// taken returns the highest number that must not be used again, as far as
// known.
func (s *save) taken() int64 {
	top := s.m.files.top
	for _, c := range s.m.l.active {
		if n, ok := numberOf(s.m.l.name, c.Path); ok {
			top = max(top, n)
		}
	}
	return top
}

func (s *save) number(count int64) int64 {
	if s.o.CheckpointNumber != nil {
		return *s.o.CheckpointNumber
	}
	return count
}

func (s *save) entry(now time.Time) retention.Checkpoint {
	c := retention.Checkpoint{Path: s.path, Time: now, Metrics: maps.Clone(s.o.Metrics)}
	if s.step != nil {
		c.Step = *s.step
	}
	return c
}

// record writes the state file by write, if it is not already so.
func (m *Manager) record(ctx context.Context, l ledger, write func(context.Context, storage.Dir, string, []byte) error) error {
	text, err := l.state().text()
	if err != nil {
		return err
	}
	if bytes.Equal(text, m.seen) {
		return nil
	}
	if err := write(ctx, m.dir, stateName, text); err != nil {
		m.seen = nil // it may be the old file or the new one
		return err
	}
	m.seen = text
	return nil
}

func (w *writing) size() int64 {
	var n int64
	for _, f := range w.receipt.Files {
		n += f.Size
	}
	return n
}
