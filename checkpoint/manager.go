package checkpoint

import (
	"context"
	"fmt"
	"sync"

	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
)

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
	out      storage.Dir   // dir as the lock's holder is to write to it
	surveyed bool          // the directory was opened for writing once
	reserved int64         // highest number that an asynchronous save was given
	closing  chan struct{} // not nil: Close was called; closed: all is done

	l        ledger.Ledger
	seen     []byte // the state file as it was last read or written
	gone     string // the latest checkpoint by the state file, if there is none at all
	files    survey
	writing  bool  // opened for writing
	locked   bool  // other processes are kept out
	failed   error // what the last sweep could not remove
	low      bool  // the disk is nearly full, and that was told
	recalled int   // how many times recall looked at a receipt
	// half are the checkpoints of saves that failed, perhaps after the index
	// was published: files that nobody would ever remove.
	half []retention.Checkpoint
	// unclear is that tidying has left something until a newer one is whole.
	unclear bool
	events  events // not told yet

	mu       sync.Mutex
	shown    shown
	lastStep *int64            // step of the last save or restore
	history  schedule.History  // of the saves that are written, for Every
	passed   []Broken          // by the last RestoreOrInitialize
	damaged  map[string]string // those of them that are damaged, and how
	from     string            // which checkpoint the objects were restored from
	stats    Stats
	cost     schedule.Cost // of the last save, for Every
	pending  []*save       // asynchronous, not written yet, oldest first
	marks    []string      // whose receipts Pin and the like have changed
}

// shown is what others see of a manager's list.
type shown struct {
	latest string
	list   []retention.Checkpoint // never changed, only replaced
	top    int64                  // no number above it is taken, as far as known
}

// NewManager returns a Manager of c in dir. It reads the directory and changes
// nothing. An empty or broken state file is told to the Logger and replaced,
// in memory, by what the directory holds; so is one that does not know of a
// newer checkpoint yet, because its writer died in between.
// (TensorFlow: tf.train.CheckpointManager)
func NewManager(ctx context.Context, c *Checkpoint, dir storage.Dir, o *ManagerOptions) (*Manager, error) {
	m := &Manager{c: c, dir: dir, out: dir, calls: storage.NewTurns(), reserved: -1}
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
	m.l.Name, m.lastStep = m.o.CheckpointName, m.o.LastCheckpointStep
	if err := m.open(ctx); err != nil {
		return nil, fmt.Errorf("open manager: %w", err)
	}
	if err := m.remember(ctx); err != nil {
		return nil, fmt.Errorf("open manager: %w", err)
	}
	m.show()
	return m, nil
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

// show lets others see the list as it is now. Of that only the end is looked at
// that was not shown before: a save does not go through all that is kept.
func (m *Manager) show() {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.shown
	s := shown{latest: m.l.Latest, list: m.l.Active, top: max(was.top, m.files.top)}
	for i := len(s.list) - 1; i >= 0; i-- {
		if n := len(was.list); n > 0 && was.list[n-1].Path == s.list[i].Path {
			break
		}
		if n, ok := filename.NumberOf(m.l.Name, s.list[i].Path); ok {
			s.top = max(s.top, n)
		}
	}
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
func (m *Manager) Checkpoints() []string {
	list := m.showing().list
	paths := make([]string, len(list))
	for i := range list {
		paths[i] = list[i].Path
	}
	return paths
}

// Checkpoint returns what the manager saves.
// (TensorFlow: tf.train.CheckpointManager.checkpoint)
func (m *Manager) Checkpoint() *Checkpoint { return m.c }

// Directory returns where the manager saves.
// (TensorFlow: tf.train.CheckpointManager.directory)
func (m *Manager) Directory() storage.Dir { return m.dir }

// CheckpointInterval returns the option of that name.
// (TensorFlow: tf.train.CheckpointManager.checkpoint_interval)
func (m *Manager) CheckpointInterval() int64 { return m.o.CheckpointInterval }
