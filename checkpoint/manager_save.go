package checkpoint

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/schedule"
)

// Save saves the checkpoint if it is due, and returns its path, or "" if it is
// not. When Save returns a path without ManagerOptions.Async the checkpoint is
// durable and the latest; what retention no longer wants is removed then. A
// removal that fails does not fail the save: it is told to the Logger, the
// checkpoint stays listed, the next save tries again, and Close returns what
// is left undone.
//
// A save that fails changes neither save counter nor interval nor list. With
// Async the path is returned before the checkpoint exists; a failure later
// uses up the number only, and Save may return the error of an earlier save,
// an EarlierError, beside its own path.
// (TensorFlow: tf.train.CheckpointManager.save)
func (m *Manager) Save(ctx context.Context, o *SaveOptions) (path string, err error) {
	s, err := m.Begin(ctx, o)
	if s == nil {
		return "", err
	}
	return s.path, err
}

// Begin is Save and returns, instead of the path, a handle of the save that is
// under way, or done if it is not asynchronous. It is nil when there is no
// such save: it was not due, it has failed, or there was no room and the
// Manager is to skip it.
func (m *Manager) Begin(ctx context.Context, o *SaveOptions) (*Saving, error) {
	if m.c.inHook(ctx) {
		return nil, fmt.Errorf("save: %w", ErrSaving)
	}
	end, err := m.calls.Turn(ctx)
	if err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	defer end()
	if o == nil {
		o = new(SaveOptions)
	}
	handle, err := m.begin(ctx, *o)
	return handle, m.c.outcomes.before(err, m, handle)
}

func (m *Manager) begin(ctx context.Context, o SaveOptions) (*Saving, error) {
	s := &save{m: m, o: o.clone(), crew: crew.New(m.c.o.Workers)}
	start := s.begin
	if s.crew != nil {
		start = s.together
	}
	handle, err := start(ctx)
	if !s.begun.IsZero() {
		m.stalled(s.begun, handle, err)
	}
	return handle, err
}

// begin is a save of a worker that is alone, or leads.
func (s *save) begin(ctx context.Context) (*Saving, error) {
	m := s.m
	if m.closing != nil {
		return nil, errManagerClosed
	}
	switch due, err := s.due(); {
	case err != nil:
		return nil, fmt.Errorf("save: %w", err)
	case !due:
		return nil, nil
	}
	s.begun = m.watch()
	if m.exact() && s.at != nil {
		m.stepped(s.at) // also if the save fails
	}
	done, err := m.c.use(ctx)
	if err != nil {
		return nil, fmt.Errorf("save: %w", err)
	}
	defer done()
	if m.o.Async != nil {
		return s.later(ctx)
	}
	if waited := m.c.queue.Do(ctx, func() { err = s.now(ctx) }); waited != nil {
		err = waited
	}
	if err != nil {
		return nil, s.outcome(ctx, err)
	}
	return finished(s.path), nil
}

// save is one call of Save.
type save struct {
	m    *Manager
	o    SaveOptions
	step *int64 // for the receipt
	at   *int64 // what StepCounter returns
	path string
	crew *crew.Worker // nil: this worker is alone

	moment schedule.Moment // for Every
	begun  time.Time       // when it was found to be due
}

// now saves while the objects stand still.
func (s *save) now(ctx context.Context) error {
	m := s.m
	if err := m.lockFirst(ctx); err != nil {
		return err
	}
	w := s.writing()
	defer w.Forget()
	err := dirlock.InTurn(ctx, m.lock, func() error {
		if err := m.openForWriting(ctx); err != nil {
			return err
		}
		m.show() // what numbers are taken
		return s.counted(ctx, w, func() error { return s.write(ctx, w) })
	})
	m.show()
	m.tell(ctx)
	return err
}

// outcome says what has failed, also to the hook.
func (s *save) outcome(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	what := "save"
	if s.path != "" {
		what += " " + s.path
	}
	err = fmt.Errorf("%s: %w", what, err)
	s.m.onError(ctx, s.path, err)
	return err
}

func (s *save) writing() *writing {
	m, o := s.m, s.o
	w := &writing{now: m.o.Now, start: m.o.Now()}
	w.Dir, w.Log, w.Crew, w.Counts = m.out, m.o.Logger, s.crew, true
	w.receipt = Receipt{Writer: WriterManager, Step: s.step, Epoch: o.Epoch, Metrics: o.Metrics, Tags: o.Tags, Pinned: o.Pin}
	m.provenance(&w.receipt)
	return w
}

// counted gives the save its number and w its tensors, and runs do. If that
// fails the save counter is as before.
func (s *save) counted(ctx context.Context, w *writing, do func() error) error {
	next := func(was int64) (int64, error) { return s.next(ctx, w, was) }
	return s.m.c.counting(next, func(count int64) error {
		s.path = filename.Numbered(s.m.o.CheckpointName, s.number(count))
		w.Path = s.path
		if err := s.m.o.Hooks.before(ctx, s.m, s.path); err != nil {
			return err
		}
		if err := s.m.c.hand(w); err != nil {
			return err
		}
		return do()
	})
}

// write publishes the checkpoint and then records it. Only when both are done
// does the manager believe in it.
func (s *save) write(ctx context.Context, w *writing) error {
	m, begin := s.m, s.m.watch()
	if err := w.Plan(ctx); err != nil { // how much is written
		return err
	}
	if err := m.makeRoom(ctx, s, w); err != nil {
		return err
	}
	w.receipt.After = m.after()
	next, err := s.publish(ctx, w)
	if err != nil {
		m.half = append(m.half, w.entry())
		m.files.stale = true
		return err
	}
	m.l, m.half = next, nil
	m.files.saved(w, m.l.Name)
	m.written(m.watch().Sub(begin), w.receipt.size()-w.Linked)
	m.saved(s)
	m.committed(w)
	m.watchSpace(ctx, w)
	m.o.Logger.Info("saved", "path", s.path, "bytes", w.receipt.size()-w.Linked, "linked", w.Linked, "took", w.receipt.Duration)
	// From here on the save has succeeded, whatever happens.
	m.tidyAgain(ctx)
	if m.failed = m.sweep(ctx); m.failed != nil {
		failed := m.failed
		m.events = append(m.events, func(ctx context.Context) { m.onError(ctx, s.path, failed) })
	}
	return nil
}

// saved lets others see that s is done.
func (m *Manager) saved(s *save) {
	m.show()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Saves++
	m.pending = slices.DeleteFunc(m.pending, func(p *save) bool { return p == s })
	m.history = m.history.And(s.moment)
	delete(m.damaged, s.path)
	if s.at != nil {
		m.lastStep = s.at
	}
}

// publish returns the list as it is when the checkpoint and the state file are
// written.
func (s *save) publish(ctx context.Context, w *writing) (ledger.Ledger, error) {
	next, err := s.m.adoptHalf(ctx)
	if err != nil {
		return ledger.Ledger{}, err
	}
	var text []byte
	w.StateName = filename.State // of the manager, wherever its checkpoints' name leads
	w.StateText = func() (_ []byte, err error) {
		next = next.Saved(w.entry())
		if !s.m.exact() {
			next.WatchClock(s.m.o.KeepCheckpointEvery)
		}
		text, err = s.m.toRecord(next)
		return text, err
	}
	if err := w.Publish(ctx); err != nil {
		return ledger.Ledger{}, err
	}
	s.m.recorded(text)
	return next, nil
}
