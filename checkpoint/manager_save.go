package checkpoint

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/schedule"
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
	// Epoch, how many are done, goes into the receipt.
	Epoch *int64
	// Metrics go into the receipt, and retention policies see them.
	Metrics map[string]float64
	// Tags are what people call the checkpoint; they go into the receipt.
	Tags []string
	// Pin is why no rule may remove the checkpoint, "" if one may.
	Pin string
}

// clone returns a copy: what it is about may be written when the caller has
// changed his own.
func (o SaveOptions) clone() SaveOptions {
	o.CheckpointNumber, o.Step, o.Epoch = copyOf(o.CheckpointNumber), copyOf(o.Step), copyOf(o.Epoch)
	o.Metrics, o.Tags = maps.Clone(o.Metrics), slices.Clone(o.Tags)
	return o
}

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
	return handle, m.c.outcomes.before(err, m)
}

func (m *Manager) begin(ctx context.Context, o SaveOptions) (*Saving, error) {
	s := &save{m: m, o: o.clone(), crew: crew.New(m.c.o.Workers)}
	if s.crew != nil {
		return s.together(ctx)
	}
	return s.begin(ctx)
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
}

// due asks the interval (checkpoint_management.py, CheckpointManager.save). A
// save that is not written yet counts as made.
func (s *save) due() (bool, error) {
	s.step = s.o.Step
	if s.m.o.StepCounter != nil {
		now := s.m.o.StepCounter()
		s.at = &now
		if s.step == nil {
			s.step = &now
		}
	}
	if s.m.o.Every != nil {
		return s.scheduled()
	}
	if s.at == nil {
		return true, nil
	}
	last := s.m.lastSaved()
	if s.m.o.CheckpointInterval == 0 || last == nil {
		return true, nil
	}
	return *s.at != *last && (s.o.Force || *s.at >= *last+s.m.o.CheckpointInterval), nil
}

// lastSaved returns the step of the newest save, nil if there is none.
func (m *Manager) lastSaved() *int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.pending); n > 0 && m.pending[n-1].at != nil {
		return m.pending[n-1].at
	}
	return m.lastStep
}

// now saves while the objects stand still.
func (s *save) now(ctx context.Context) error {
	m := s.m
	if err := m.lockFirst(ctx); err != nil {
		return err
	}
	w := s.writing()
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
	w.Dir, w.Log, w.Crew, w.Counts = m.dir, m.o.Logger, s.crew, true
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
	m, begin := s.m, time.Now() // not the injected clock: this is a stopwatch
	next, err := s.publish(ctx, w)
	if err != nil {
		m.half = append(m.half, w.entry())
		m.files.stale = true
		return err
	}
	m.l, m.half = next, nil
	m.files.saved(w, m.l.name)
	m.timed(time.Since(begin))
	m.saved(s)
	m.committed(w)
	m.o.Logger.Info("saved", "path", s.path, "bytes", w.size(), "took", w.receipt.Duration)
	// From here on the save has succeeded, whatever happens.
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
	m.pending = slices.DeleteFunc(m.pending, func(p *save) bool { return p == s })
	m.history = m.history.And(s.moment)
	delete(m.damaged, s.path)
	if s.at != nil {
		m.lastStep = s.at
	}
}

// timed notes how long a save took.
func (m *Manager) timed(took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.took = took
}

// SaveDuration returns how long the last save of this manager took until it
// was durable and recorded, 0 if there was none. An asynchronous save's waiting
// for others is not counted. Other than a receipt's Duration, which is part of
// what is saved, it has the time until the disk had everything.
func (m *Manager) SaveDuration() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.took
}

// stepped sets the step that the interval counts from.
func (m *Manager) stepped(at *int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastStep = at
}

// publish returns the list as it is when the checkpoint and the state file are
// written.
func (s *save) publish(ctx context.Context, w *writing) (ledger, error) {
	next, err := s.m.adoptHalf(ctx)
	if err != nil {
		return ledger{}, err
	}
	if err := w.Publish(ctx); err != nil {
		return ledger{}, err
	}
	next = next.saved(w.entry())
	if !s.m.exact() {
		next.watchClock(s.m.o.KeepCheckpointEvery)
	}
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
	is, err := shelf.Occupied(ctx, s.m.dir, filename.Numbered(s.m.o.CheckpointName, n))
	if err != nil || !is {
		w.Free = true
		return n, err
	}
	// Somebody else writes checkpoints of this name.
	sets, err := shelf.Scan(ctx, s.m.dir, s.m.o.CheckpointName+"-")
	if err != nil {
		return 0, err
	}
	return after(max(was, s.taken(), sets.Highest(s.m.o.CheckpointName)))
}

// taken returns the highest number that must not be used again, as far as
// known.
func (s *save) taken() int64 { return max(s.m.showing().top, s.m.reserved) }

func (s *save) number(count int64) int64 {
	if s.o.CheckpointNumber != nil {
		return *s.o.CheckpointNumber
	}
	return count
}

// entry returns what the manager's list has of w.
func (w *writing) entry() retention.Checkpoint {
	c := w.receipt.checkpoint(w.Path, w.receipt.Time)
	c.Verified = true // every byte of it was written by this process, and flushed
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
	if err := write(ctx, m.dir, filename.State, text); err != nil {
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
