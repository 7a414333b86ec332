package checkpoint

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/ledger"
)

// Hooks are functions that a Manager calls: BeforeSave from Save, the others
// from where the checkpoint is written, one at a time and when all is recorded.
// They may call its methods that only read, but no save, restore, Sync or Close
// of its Checkpoint, nor wait for a Saving: given the hook's context these return ErrSaving, and
// without it they would wait for themselves. A hook that panics is an error
// that is told as that of an asynchronous save is, and changes nothing else.
// (TensorFlow: experimental_write_callbacks)
type Hooks struct {
	// BeforeSave is called in Save with the path of the checkpoint to be. An
	// error refuses the save: nothing has changed then. It may not write to
	// the directory with functions of this package, such as Pin: it is the
	// save's turn there.
	BeforeSave func(ctx context.Context, path string) error
	// AfterCommit is called when a checkpoint is durable and the latest, by
	// the goroutine that wrote it.
	AfterCommit func(ctx context.Context, e Event)
	// AfterRemoval is called when retention has removed a checkpoint.
	AfterRemoval func(ctx context.Context, e Event)
	// OnError is called when a save or a removal has failed, or another hook.
	OnError func(ctx context.Context, path string, err error)
}

// Event is what has happened to a checkpoint.
type Event struct {
	Path string
	// Receipt is a copy of the checkpoint's. After a removal it has only
	// path, time, step and metrics.
	Receipt  Receipt
	Bytes    int64         // written: data and index, without what was only linked
	Duration time.Duration // of the writing
	Reason   string        // of a removal
}

// hookOf marks the contexts of hooks of a Checkpoint's managers.
type hookOf struct{ c *Checkpoint }

// inHook reports whether ctx is that of a hook of one of c's managers.
func (c *Checkpoint) inHook(ctx context.Context) bool { return ctx.Value(hookOf{c}) != nil }

// inQueue reports whether ctx is that of a hook which the queue runs: what
// waits there for an end that has not come yet waits for itself.
func (c *Checkpoint) inQueue(ctx context.Context) bool {
	name := ctx.Value(hookOf{c})
	return name != nil && name != "BeforeSave"
}

// before calls BeforeSave.
func (h *Hooks) before(ctx context.Context, m *Manager, path string) (err error) {
	if h == nil || h.BeforeSave == nil {
		return nil
	}
	panicked := m.call(ctx, "BeforeSave", path, func(ctx context.Context) { err = h.BeforeSave(ctx, path) })
	if panicked != nil {
		return panicked
	}
	if err != nil {
		return fmt.Errorf("hook BeforeSave: %w", err)
	}
	return nil
}

// call calls a hook and returns its panic as an error.
func (m *Manager) call(ctx context.Context, name, path string, hook func(context.Context)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			m.o.Logger.Error("hook panicked", "hook", name, "path", path, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("hook %s: %s: panic: %v", name, path, p)
		}
	}()
	hook(context.WithValue(ctx, hookOf{m.c}, name))
	return nil
}

// told calls a hook after something happened.
func (m *Manager) told(ctx context.Context, name string, hook func(context.Context, Event), e Event) {
	if hook == nil {
		return
	}
	if err := m.call(ctx, name, e.Path, func(ctx context.Context) { hook(ctx, e) }); err != nil {
		m.onError(ctx, e.Path, err)
		m.c.outcomes.missed(&Saving{path: e.Path, err: err, owner: m})
	}
}

// onError calls OnError.
func (m *Manager) onError(ctx context.Context, path string, failed error) {
	if m.o.Hooks == nil || m.o.Hooks.OnError == nil {
		return
	}
	err := m.call(ctx, "OnError", path, func(ctx context.Context) { m.o.Hooks.OnError(ctx, path, failed) })
	if err != nil {
		m.c.outcomes.missed(&Saving{path: path, err: err, owner: m})
	}
}

// events are what has happened and has to be told, in order.
type events []func(ctx context.Context)

// committed notes that w is the latest checkpoint.
func (m *Manager) committed(w *writing) {
	if h := m.o.Hooks; h != nil && h.AfterCommit != nil {
		e := Event{Path: w.Path, Receipt: w.receipt.clone(), Bytes: w.receipt.size() - w.Linked, Duration: w.receipt.Duration}
		m.events = append(m.events, func(ctx context.Context) { m.told(ctx, "AfterCommit", h.AfterCommit, e) })
	}
}

// removed notes that a checkpoint is gone.
func (m *Manager) removed(c ledger.Judged) {
	if h := m.o.Hooks; h != nil && h.AfterRemoval != nil {
		e := Event{Path: c.Path, Reason: c.Reason}
		e.Receipt = Receipt{Path: c.Path, Time: c.Time, Step: copyOf(c.Step), Epoch: copyOf(c.Epoch), Metrics: maps.Clone(c.Metrics)}
		m.events = append(m.events, func(ctx context.Context) { m.told(ctx, "AfterRemoval", h.AfterRemoval, e) })
	}
}

// tell calls the hooks for what has happened. It is not done in the
// directory's turn, which a hook may want for itself.
func (m *Manager) tell(ctx context.Context) {
	happened := m.events
	m.events = nil
	for _, tell := range happened {
		tell(ctx)
	}
}

// clone returns a copy that shares nothing with r.
func (r Receipt) clone() Receipt {
	r.Files, r.Parity, r.Tags = slices.Clone(r.Files), slices.Clone(r.Parity), slices.Clone(r.Tags)
	r.Metrics, r.unknown = maps.Clone(r.Metrics), maps.Clone(r.unknown)
	r.Step, r.Epoch = copyOf(r.Step), copyOf(r.Epoch)
	return r
}

func copyOf(n *int64) *int64 {
	if n == nil {
		return nil
	}
	m := *n
	return &m
}
