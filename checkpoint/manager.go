package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// ManagerOptions change how a Manager works. Nil and zero values are the
// defaults.
type ManagerOptions struct {
	// MaxToKeep is how many checkpoints stay in the list; older ones are
	// removed. 0 keeps all, so that forgetting it deletes nothing.
	// (TensorFlow: max_to_keep)
	MaxToKeep int
	// KeepCheckpointEvery preserves, of the checkpoints that leave the list,
	// those that are so much newer than the one preserved before.
	// (TensorFlow: keep_checkpoint_every_n_hours)
	KeepCheckpointEvery time.Duration
	// CheckpointName is what checkpoints are called: "ckpt", the default,
	// gives "ckpt-1". A manager lists and removes those of its own name.
	// (TensorFlow: checkpoint_name)
	CheckpointName string
	// StepCounter returns the training step. (TensorFlow: step_counter)
	StepCounter func() int64
	// CheckpointInterval is how many steps there are at least between two
	// saves; it needs StepCounter. (TensorFlow: checkpoint_interval)
	CheckpointInterval int64
	// Every says which saves are due, instead of CheckpointInterval; Force
	// saves whatever it says. It sees the step, epoch and metrics that a save
	// is told, and those of earlier processes' saves in their receipts. One
	// that counts steps or epochs needs every save to tell them.
	Every schedule.Schedule
	// LastCheckpointStep is the step that CheckpointInterval counts from
	// before the first save. Nil: the first save is due.
	// (TensorFlow: last_checkpoint_step)
	LastCheckpointStep *int64
	// InitFn is called by RestoreOrInitialize when there is nothing to
	// restore. (TensorFlow: init_fn)
	InitFn func(context.Context) error
	// Partial lets RestoreOrInitialize restore a checkpoint that has no value
	// for some of the objects here, as TensorFlow does. Without it that is an
	// error, because a variable that was renamed would silently begin anew.
	Partial bool
	// Fallback lets RestoreOrInitialize go back to an older checkpoint where
	// a newer one is broken: its bytes are damaged, or a file of it is
	// missing. Each is told to the Logger and by PassedOver. Of several workers
	// all must have it, or Validate, and call RestoreOrInitialize together:
	// what one passes over all do.
	Fallback bool
	// Validate runs what RestoreOrInitialize has restored, and rejects a
	// checkpoint whose metrics are not those of its receipt.
	Validate *Validation
	// Retention decides in the place of MaxToKeep and KeepCheckpointEvery, which
	// are retention.Latest and retention.Every and cannot be set besides, about
	// all checkpoints that managers of this name have saved and that were not
	// preserved for good. What it keeps for another reason than that it is one
	// of the latest is not listed in the state file, so that a TensorFlow
	// manager does not remove it later; its receipt says why it is there. The
	// floors of package retention hold whatever it says.
	Retention retention.Policy
	// Async makes saves asynchronous. Default: as the Checkpoint's options
	// say. (TensorFlow: enable_async)
	Async *Async
	// Hooks are called when something happens.
	// (TensorFlow: experimental_write_callbacks)
	Hooks *Hooks
	// Run is what the run is called that this is, for receipts. Package
	// experiment sets it.
	Run string
	// Revision is the version of the program's source, for receipts.
	// Default: BuildRevision.
	Revision *Revision
	// Now is the clock. Default: that of the Checkpoint's options.
	Now func() time.Time
	// Logger is told of saves and of what was worked around. Default: that
	// of the Checkpoint's options.
	Logger *slog.Logger
}

// Manager saves a Checkpoint again and again into one directory, and removes
// what is not to be kept. Its methods may be called by several goroutines;
// those that only read never wait for a save.
//
// Several managers of a process may share a directory when they have different
// names. (TensorFlow: tf.train.CheckpointManager)
type Manager struct {
	c   *Checkpoint
	dir storage.Dir
	o   ManagerOptions

	// What guards what: calls of Save, Begin and Close take their turns, and
	// in it use the first group. The second is only touched in what the
	// Checkpoint's queue runs, one after another. The third has its mutex,
	// which nobody holds for longer than a moment.
	calls    storage.Turns
	lock     storage.Held  // nil before the first save
	surveyed bool          // the directory was opened for writing once
	reserved int64         // highest number that an asynchronous save was given
	closing  chan struct{} // not nil: Close was called; closed: all is done

	l        ledger
	seen     []byte // the state file as it was last read or written
	gone     string // the latest checkpoint by the state file, if there is none at all
	files    survey
	writing  bool  // opened for writing
	locked   bool  // other processes are kept out
	failed   error // what the last sweep could not remove
	recalled int   // how many times recall looked at a receipt
	// half are the checkpoints of saves that failed, perhaps after the index
	// was published: files that nobody would ever remove.
	half   []retention.Checkpoint
	events events // not told yet

	mu       sync.Mutex
	shown    shown
	lastStep *int64            // step of the last save or restore
	history  schedule.History  // of the saves that are written, for Every
	passed   []Broken          // by the last RestoreOrInitialize
	damaged  map[string]string // those of them that are damaged, and how
	from     string            // which checkpoint the objects were restored from
	took     time.Duration     // by the last save
	pending  []*save           // asynchronous, not written yet, oldest first
	marks    []string          // whose receipts Pin and the like have changed
}

// shown is what others see of a manager's list.
type shown struct {
	latest string
	paths  []string
	top    int64 // no number above it is taken, as far as known
}

// NewManager returns a Manager of c in dir. It reads the directory and changes
// nothing. An empty or broken state file is told to the Logger and replaced,
// in memory, by what the directory holds; so is one that does not know of a
// newer checkpoint yet, because its writer died in between.
// (TensorFlow: tf.train.CheckpointManager)
func NewManager(ctx context.Context, c *Checkpoint, dir storage.Dir, o *ManagerOptions) (*Manager, error) {
	m := &Manager{c: c, dir: dir, calls: storage.NewTurns(), reserved: -1}
	if o != nil {
		m.o = *o
	}
	if m.o.CheckpointName == "" {
		m.o.CheckpointName = "ckpt"
	}
	if m.o.Now == nil {
		m.o.Now = c.o.Now
	}
	if m.o.Logger == nil {
		m.o.Logger = c.o.Logger
	}
	if m.o.Async == nil {
		m.o.Async = c.o.Async
	}
	err := m.o.check()
	if err == nil && m.o.Async != nil && crew.New(c.o.Workers) != nil {
		err = errAsyncWorkers
	}
	if err != nil {
		return nil, fmt.Errorf("manager options: %w", err)
	}
	m.o.Revision = m.o.Revision.orBuilt()
	m.l.name, m.lastStep = m.o.CheckpointName, m.o.LastCheckpointStep
	if err := m.open(ctx); err != nil {
		return nil, fmt.Errorf("open manager: %w", err)
	}
	if err := m.remember(ctx); err != nil {
		return nil, fmt.Errorf("open manager: %w", err)
	}
	m.show()
	return m, nil
}

func (o *ManagerOptions) check() error {
	switch {
	case o.MaxToKeep < 0:
		return fmt.Errorf("MaxToKeep is %d, want a positive number, or 0 to keep all", o.MaxToKeep)
	case o.KeepCheckpointEvery < 0:
		return fmt.Errorf("KeepCheckpointEvery is %v, want a positive duration, or 0 for none", o.KeepCheckpointEvery)
	case o.Retention != nil && o.MaxToKeep > 0:
		return errors.New("MaxToKeep and Retention both say what stays: join retention.Latest to the policy by retention.Any")
	case o.Retention != nil && o.KeepCheckpointEvery > 0:
		return errors.New("KeepCheckpointEvery and Retention both say what stays: join retention.Every to the policy by retention.Any")
	case o.CheckpointInterval < 0:
		return fmt.Errorf("CheckpointInterval is %d, want a positive number of steps, or 0 for none", o.CheckpointInterval)
	case o.CheckpointInterval > 0 && o.Every != nil:
		return errors.New("CheckpointInterval and Every both say when to save")
	case o.CheckpointInterval > 0 && o.StepCounter == nil:
		return errors.New("CheckpointInterval needs a StepCounter")
	}
	if err := schedule.Check(o.Every); err != nil {
		return fmt.Errorf("option Every: %w", err)
	}
	if err := filename.Check(filename.Numbered(o.CheckpointName, 0)); err != nil {
		return fmt.Errorf("CheckpointName: %w", err)
	}
	if o.Async != nil {
		if err := o.Async.check(); err != nil {
			return err
		}
	}
	return o.Validate.check()
}

// policy returns what decides now. TensorFlow asks the hourly rule about what
// max_to_keep would remove, which Any does (see package retention); without
// max_to_keep it asks neither.
func (m *Manager) policy() retention.Policy {
	switch {
	case m.o.Retention != nil:
		return m.o.Retention
	case m.o.MaxToKeep == 0:
		return retention.Any()
	case m.o.KeepCheckpointEvery == 0:
		return retention.Latest(m.o.MaxToKeep)
	}
	return retention.Any(retention.Latest(m.o.MaxToKeep), retention.Every(m.o.KeepCheckpointEvery, m.l.lastPreserved))
}

// RestoreOrInitialize restores the latest checkpoint and returns its path.
// When there is none it calls InitFn and returns "". It falls back to an older
// checkpoint only over one that is marked as rejected, or that Validate
// rejects, and over a broken one if Fallback says so. Nor does it begin from
// nothing where checkpoints were: that is an error, ErrNoneValid if they were
// passed over. After a rejection the objects hold what was restored last, also
// when that is an error: the error says which checkpoint's values. An
// asynchronous save, for which it waits first, is an error if it has failed.
// (TensorFlow: tf.train.CheckpointManager.restore_or_initialize)
func (m *Manager) RestoreOrInitialize(ctx context.Context) (path string, err error) {
	if err := m.Sync(ctx); err != nil {
		return "", err
	}
	path, err = m.restoreNewest(ctx)
	if err != nil {
		return "", err
	}
	m.ContinueFrom(path)
	if path == "" {
		return "", m.initialize(ctx)
	}
	if m.o.StepCounter != nil {
		step := m.o.StepCounter()
		m.stepped(&step)
	}
	return path, nil
}

func (m *Manager) restore(ctx context.Context, path string) error {
	status, err := m.c.restore(ctx, m.dir, path, !m.o.Partial && !m.exact())
	var values *trackable.MismatchError
	switch {
	case errors.Is(err, trackable.ErrNotMatched) && !errors.As(err, &values):
		return fmt.Errorf("%w (ManagerOptions.Partial restores what there is)", err)
	case err != nil:
		return err
	}
	if err := status.AssertExistingObjectsMatched(); err != nil {
		m.o.Logger.Warn("restored in part", "path", path, "err", err)
	}
	return nil
}

func (m *Manager) initialize(ctx context.Context) error {
	if err := m.alone(ctx, m.lost); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if m.o.InitFn == nil {
		return nil
	}
	return m.o.InitFn(ctx)
}

// alone runs do when no save is being written.
func (m *Manager) alone(ctx context.Context, do func() error) error {
	done, err := m.c.use(ctx)
	if err != nil {
		return err
	}
	defer done()
	if waited := m.c.queue.Do(ctx, func() { err = do() }); waited != nil {
		return waited
	}
	return err
}

// lost returns an error if there have been checkpoints: who goes on from
// nothing then should know.
func (m *Manager) lost() error {
	if m.exact() {
		return nil
	}
	if m.gone != "" {
		return fmt.Errorf("%s: names %q, but neither that nor another complete checkpoint is there: "+
			"bring it back, or remove this file to begin anew: %w", filename.State, m.gone, fs.ErrNotExist)
	}
	for _, p := range slices.Sorted(maps.Keys(m.files.sets)) {
		if _, mine := filename.NumberOf(m.l.name, p); mine && m.files.sets[p].Index != nil {
			return fmt.Errorf("%s: data files are missing: bring them back, or remove its index to begin anew: %w", p, fs.ErrNotExist)
		}
	}
	return nil
}

// show lets others see the list as it is now.
func (m *Manager) show() {
	s := shown{latest: m.l.latest, paths: make([]string, len(m.l.active)), top: m.files.top}
	for i, c := range m.l.active {
		s.paths[i] = c.Path
		if n, ok := filename.NumberOf(m.l.name, c.Path); ok {
			s.top = max(s.top, n)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = s
}

func (m *Manager) showing() shown {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shown
}

// LatestCheckpoint returns the path of the newest checkpoint, "" if there is
// none. One that is still being written is not it.
// (TensorFlow: tf.train.CheckpointManager.latest_checkpoint)
func (m *Manager) LatestCheckpoint() string { return m.showing().latest }

// Checkpoints returns the paths of the managed checkpoints, oldest first, those
// included that another rule than the latest N keeps. Preserved ones are not
// among them; List has all.
// (TensorFlow: tf.train.CheckpointManager.checkpoints)
func (m *Manager) Checkpoints() []string { return slices.Clone(m.showing().paths) }

// Checkpoint returns what the manager saves.
// (TensorFlow: tf.train.CheckpointManager.checkpoint)
func (m *Manager) Checkpoint() *Checkpoint { return m.c }

// Directory returns where the manager saves.
// (TensorFlow: tf.train.CheckpointManager.directory)
func (m *Manager) Directory() storage.Dir { return m.dir }

// CheckpointInterval returns the option of that name.
// (TensorFlow: tf.train.CheckpointManager.checkpoint_interval)
func (m *Manager) CheckpointInterval() int64 { return m.o.CheckpointInterval }
