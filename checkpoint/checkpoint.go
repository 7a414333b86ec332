package checkpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/internal/arena"
	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/publish"
	"github.com/ckpt-dev/ckpt/internal/queue"
	"github.com/ckpt-dev/ckpt/internal/tfexact"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/trackable"
)

// ErrSaving is returned by a save or restore that begins while another call of
// the same Checkpoint is under way, or in a hook. The writing of an
// asynchronous save is no call.
var ErrSaving = errors.New("another save or restore is under way")

// Names of children that TensorFlow adds (checkpoint/checkpoint.py).
const (
	counterName = "save_counter" // counts the saves
	rootName    = "root"         // the root itself, sorted among the objects
)

// Objects are the named objects of a Checkpoint, its keyword arguments in
// TensorFlow.
type Objects map[string]trackable.Object

// Options change how a Checkpoint saves and restores. Nil and zero values are
// the defaults. (TensorFlow: tf.train.CheckpointOptions)
type Options struct {
	// SkipSlotVariables restores without optimizers' slots.
	// (TensorFlow: experimental_skip_slot_variables)
	SkipSlotVariables bool
	// Mode says what a restore does with stored tensors that do not fit. The
	// zero Mode restores nothing then. With trackable.SkipMismatched a manager
	// too restores what there is, as with ManagerOptions.Partial.
	Mode trackable.Mode
	// StageLimit is how many bytes a restore may hold at once; see
	// trackable.RestoreOptions.
	StageLimit int64
	// InPlace restores in one pass, straight into variables that have their
	// memory: the fastest way, for a program that ends if the checkpoint is
	// damaged. The error then names what was overwritten already, a
	// *trackable.OverwrittenError. By default nothing is changed before all is
	// verified. A manager that goes back from a damaged checkpoint restores the
	// older one over what was overwritten.
	InPlace bool
	// Async makes Save and Write asynchronous, and by default the saves of
	// managers. Nil: they return when the checkpoint is durable.
	// (TensorFlow: enable_async)
	Async *Async
	// SnapshotMemory is how many bytes the copies of asynchronous saves may take,
	// all of them together. A save that has more waits until the first part of
	// it is written, and copies the rest: so saving never needs the model's memory
	// once more. Default: no limit.
	SnapshotMemory int64
	// Sharding decides which data files a checkpoint has. Default: one. With it
	// every object is asked for its tensors twice: first for what they are
	// like, then for what is written.
	// (TensorFlow: experimental_sharding_callback)
	Sharding sharding.Policy
	// Workers are those that save together. Each calls the same saves with the
	// same paths, also of managers, and gets the same answer; one that fails
	// fails the save for all. Only worker 0 locks the directory, which all
	// share, decides what is due and what is removed, and calls hooks.
	// What all have is written by one of them; of a variable that several
	// hold, each serializes the slice that it has. How many there are does
	// not matter for restoring. Not with Async.
	Workers coordinator.Group
	// Parity writes beside each data file, and beside the index, what a bad
	// block of every eight in a row can be made again from: Repair, and
	// 'ckpt doctor --deep --fix', do. It takes an eighth of the space besides, of small
	// files as much again. TensorFlow ignores these files. Of several workers
	// all must have it.
	Parity bool
	// Incremental lets saves link what has not changed since the last one, instead
	// of writing it again. Nil: every save writes everything. Not with Workers or
	// Sharding.
	Incremental *Incremental
	// Frozen says of a tensor, by its name as 'ckpt show' prints it, that the
	// program does not change it between saves: the weights below a head that is
	// trained, say. An asynchronous save does not copy such a tensor but reads it
	// from the object's memory when it writes. With Incremental they have a data
	// file of their own from the first save on, and one that was changed all the
	// same is found out: the next save writes it again and tells the Logger, but
	// an asynchronous one in between may have its old value; one that changes while
	// it is written fails that save. What a restore of this Checkpoint changes is
	// no change of the program. Without Incremental nobody looks: one that changes
	// while an asynchronous save writes it may make a checkpoint that every reader
	// calls damaged.
	Frozen func(name string) bool
	// Logger is told what was worked around. Default: nobody.
	Logger *slog.Logger
	// Now is the clock of receipts. Default: time.Now.
	Now func() time.Time
	// Exactly makes the Checkpoint and its managers lose data where
	// TensorFlow does, for the test that holds both side by side. Its type
	// is internal: a program can only leave it out.
	Exactly tfexact.Mode
}

// Checkpoint is a graph of objects that is saved and restored as a whole. It
// is itself an Object, so that one can be part of another.
//
// The objects may not change while a call of it runs; a call that begins
// meanwhile gets ErrSaving. At most one save of it is being written at a time,
// whoever began it. (TensorFlow: tf.train.Checkpoint)
type Checkpoint struct {
	trackable.Node // the objects, "root", and save_counter, each an edge
	root           trackable.Object
	o              Options
	misuse         error      // of New
	busy           sync.Mutex // held by the call that uses the objects
	queue          queue.Queue
	outcomes       outcomes
	snapshots      *arena.Pool
	lineage        *publish.Lineage // nil: saves are not incremental
}

// New returns a Checkpoint of root, or of objects, or of both.
//
// Without root the Checkpoint itself is node 0 of the saved graph and objects
// are its children, in the order of their names. With one, node 0 is root
// itself, so that its keys begin with the names of its children, and objects
// are saved as further children of it. An object may have the name of one of
// root's children only if it is that child; that and other misuse is reported
// by the first save or restore. (TensorFlow: tf.train.Checkpoint)
func New(root trackable.Object, objects Objects, o *Options) *Checkpoint {
	c := &Checkpoint{root: root, snapshots: arena.NewPool()}
	if o != nil {
		c.o = *o
	}
	if c.o.Logger == nil {
		c.o.Logger = slog.New(slog.DiscardHandler)
	}
	if c.o.Now == nil {
		c.o.Now = time.Now
	}
	if c.o.Async != nil {
		if c.misuse = c.o.Async.check(); c.misuse == nil && crew.New(c.o.Workers) != nil {
			c.misuse = errAsyncWorkers
		}
	}
	if c.o.SnapshotMemory < 0 {
		c.misuse = fmt.Errorf("Options.SnapshotMemory is %d, want 0 or more", c.o.SnapshotMemory)
	}
	if err := c.o.checkIncremental(); err != nil {
		c.misuse = err
	}
	c.lineage = c.o.lineage()
	named := maps.Clone(objects)
	if root != nil {
		if named == nil {
			named = make(Objects)
		}
		if o, taken := named[rootName]; taken && o != root {
			c.misuse = fmt.Errorf("object %q: the root itself has this name", rootName)
		}
		named[rootName] = root
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		c.Node.Track(name, named[name])
	}
	return c
}

// Track adds or replaces the object name, as assigning to an attribute does
// in TensorFlow, and restores what waited for it. With a root it becomes a
// further child of that, where TensorFlow forgets to save it.
func (c *Checkpoint) Track(name string, o trackable.Object) *Checkpoint {
	c.Node.Track(name, o)
	return c
}

// SaveCounter returns how many times Save was called, counting those before
// the state that was restored. (TensorFlow: tf.train.Checkpoint.save_counter)
func (c *Checkpoint) SaveCounter() int64 {
	counter, err := c.counter()
	if err != nil || counter == nil {
		return 0
	}
	return counter.Value[0]
}

// node0 returns the object the saved graph begins at, and the children that
// it has only in this Checkpoint.
func (c *Checkpoint) node0() (trackable.Object, []trackable.Child) {
	if c.root == nil {
		return c, nil
	}
	return c.root, c.TrackableChildren()
}

// counter returns the save counter, or nil if there is none yet: it comes to
// be with the first Save or Restore. A root's own child of its name is used.
func (c *Checkpoint) counter() (*trackable.Variable[int64], error) {
	var o trackable.Object
	if c.root != nil {
		o = child(c.root, counterName)
	}
	if o == nil {
		o = child(c, counterName)
	}
	if o == nil {
		return nil, nil
	}
	v, ok := o.(*trackable.Variable[int64])
	if !ok || len(v.Value) != 1 {
		return nil, fmt.Errorf("object %q is %T, want the save counter, a *trackable.Variable[int64] of one element", counterName, o)
	}
	return v, nil
}

// makeCounter returns the save counter, which it makes if need be. Tracking
// it gives it the value that a Read before may have for it.
func (c *Checkpoint) makeCounter() (*trackable.Variable[int64], error) {
	v, err := c.counter()
	if v != nil || err != nil {
		return v, err
	}
	v = trackable.NewScalar(counterName, int64(0))
	// With a root such a value waits there, and not in c
	// (checkpoint/checkpoint.py, _maybe_create_save_counter).
	if n, ok := c.root.(tracker); ok {
		n.Track(counterName, v)
		n.Untrack(counterName)
	}
	c.Node.Track(counterName, v)
	return v, nil
}

// tracker is a root that embeds trackable.Node.
type tracker interface {
	Track(name string, o trackable.Object) *trackable.Node
	Untrack(name string)
}

// child returns o's child of that name, or nil.
func child(o trackable.Object, name string) trackable.Object {
	for _, c := range o.TrackableChildren() {
		if c.Name == name {
			return c.Object
		}
	}
	return nil
}
