package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
)

// later takes a snapshot and lets it be written in its turn.
func (s *save) later(ctx context.Context) (*Saving, error) {
	m := s.m
	switch err := m.c.room(ctx, m.o.Async, m); {
	case errors.Is(err, ErrSkipped):
		m.o.Logger.Warn("save skipped: others are still to be written", "waiting", m.c.queue.Waiting())
		return nil, nil
	case err != nil:
		return nil, s.outcome(ctx, err)
	}
	w := s.writing()
	err := s.openOnce(ctx)
	if err == nil {
		err = s.counted(ctx, w, func() error { return w.Snapshot(ctx, m.c.memory()) })
	}
	if err != nil {
		w.Forget()
		return nil, s.outcome(ctx, err)
	}
	if n, ok := filename.NumberOf(m.o.CheckpointName, s.path); ok {
		m.reserved = max(m.reserved, n)
	}
	m.enqueue(s)
	later := context.WithoutCancel(ctx)
	saving := m.c.later(s.path, m.o.Async, m,
		func() error { return s.writeLater(later, w) },
		func(err error) error { w.Forget(); return s.ended(later, err) })
	if err := m.c.fed(saving, w.Feed(ctx)); err != nil {
		return nil, err
	}
	return saving, nil
}

// openOnce finds out, before the manager's first asynchronous save, what is
// there. Only this once such a save waits for others of its Checkpoint.
func (s *save) openOnce(ctx context.Context) (err error) {
	m := s.m
	if err := m.lockFirst(ctx); err != nil || m.surveyed {
		return err
	}
	waited := m.c.queue.Do(ctx, func() {
		err = dirlock.InTurn(ctx, m.lock, func() error { return m.openForWriting(ctx) })
		m.show()
	})
	if err == nil {
		err = waited
	}
	m.surveyed = err == nil
	return err
}

// writeLater is the part of an asynchronous save that the queue runs.
func (s *save) writeLater(ctx context.Context, w *writing) error {
	m := s.m
	w.start = m.o.Now()
	err := dirlock.InTurn(ctx, m.lock, func() error {
		err := m.openForWriting(ctx)
		if err == nil {
			err = w.LookAgain(ctx, s.o.CheckpointNumber == nil)
		}
		if err == nil {
			err = s.write(ctx, w)
		}
		return err
	})
	m.show()
	m.tell(ctx)
	return err
}

// enqueue notes an asynchronous save.
func (m *Manager) enqueue(s *save) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pending = append(m.pending, s)
}

// ended is told the outcome of an asynchronous save.
func (s *save) ended(ctx context.Context, err error) error {
	m := s.m
	m.mu.Lock()
	m.pending = slices.DeleteFunc(m.pending, func(p *save) bool { return p == s })
	switch {
	case errors.Is(err, ErrReplaced):
		m.stats.Skipped++
	case err != nil:
		m.stats.Failed++
	}
	m.mu.Unlock()
	switch {
	case errors.Is(err, ErrReplaced):
		m.o.Logger.Warn("save replaced by a newer one before it was written", "path", s.path)
		return fmt.Errorf("save %s: %w", s.path, err)
	case err != nil:
		m.o.Logger.Error("save failed", "path", s.path, "err", err)
	}
	return s.outcome(ctx, err)
}
