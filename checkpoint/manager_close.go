package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/queue"
)

var errManagerClosed = fmt.Errorf("manager: %w", fs.ErrClosed)

// Sync waits until the asynchronous saves that were begun before are written,
// and returns the errors of this manager's that nobody was told yet. If ctx
// ends first the writing goes on. Without such saves it returns at once.
// (TensorFlow: tf.train.CheckpointManager.sync)
func (m *Manager) Sync(ctx context.Context) error { return m.c.sync(ctx, m) }

// Close waits until everything is written, and lets other processes write to
// the directory. What the last sweep could not remove it tries once more. It
// returns the error of that, though the saves themselves did not fail for it,
// and those of asynchronous saves that nobody was told yet.
//
// If ctx ends first, all this goes on without the caller, who may wait for it
// by another Close. After the end Close does nothing.
func (m *Manager) Close(ctx context.Context) error {
	if m.c.inHook(ctx) {
		return fmt.Errorf("close manager: %w", ErrSaving)
	}
	closed, err := m.close(ctx)
	if err == nil {
		err = wait(ctx, closed)
	}
	if err != nil {
		err = fmt.Errorf("close manager: %w", err)
	}
	return alsoFailed(errors.Join(m.c.outcomes.take(m)...), err)
}

// close refuses further saves, and puts the end of everything behind those
// that were begun.
func (m *Manager) close(ctx context.Context) (closed <-chan struct{}, err error) {
	// With a context that has ended, as after a signal, it begins nevertheless.
	select {
	case m.calls <- struct{}{}:
		defer func() { <-m.calls }()
	default:
		end, err := m.calls.Turn(ctx)
		if err != nil {
			return nil, err
		}
		defer end()
	}
	if m.closing != nil {
		return m.closing, nil
	}
	m.closing = make(chan struct{})
	if m.lock == nil {
		close(m.closing)
		return m.closing, nil
	}
	ctx = context.WithoutCancel(ctx)
	m.c.queue.Put(queue.Job{Owner: m, Run: func() {
		defer close(m.closing)
		if err := m.end(ctx); err != nil {
			m.c.outcomes.missed(&Saving{err: fmt.Errorf("close manager: %w", err), owner: m})
		}
	}}, queue.Limit{})
	return m.closing, nil
}

// end is the last that a manager does.
func (m *Manager) end(ctx context.Context) error {
	err := m.failed
	if err != nil {
		err = dirlock.InTurn(ctx, m.lock, func() error { return m.sweepAgain(ctx) })
		m.show()
		m.tell(ctx)
	}
	if failed := m.lock.Unlock(); failed != nil {
		return alsoFailed(failed, err)
	}
	return err
}
