package checkpoint

import (
	"context"
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/publish"
	"github.com/ckpt-dev/ckpt/internal/queue"
)

// Async makes saves asynchronous: a save returns when it has copied every
// value, and the copy is written later. Everything in the file, the objects,
// their states, the graph and the save counter, is of the moment of the call,
// and so is the number; that of a save which fails later stays a hole. The
// context of the call governs the copying and the waiting, not the writing.
// Logger, Now and a retention policy are then also called from a goroutine of
// the writing.
//
// The error of a save that fails later is told to the Logger and to
// Hooks.OnError, and returned by its Saving. Unless somebody got it there it
// is returned by the next save, by Sync or by Close, whichever comes first.
type Async struct {
	// Queue is how many saves may wait besides the one being written, each
	// with a copy of all values. With 0, as in TensorFlow, a save waits for
	// the writing of the one before. Replace takes 0 as 1.
	Queue int
	// WhenFull is what happens to a save beyond that.
	WhenFull WhenFull
}

// WhenFull is what happens to an asynchronous save for which the queue has no
// room. (TensorFlow always waits.)
type WhenFull int

const (
	// Block waits for room, and copies the values then.
	Block WhenFull = iota
	// Skip does not make the new save.
	Skip
	// Replace drops the newest save that waits for the new one.
	Replace
)

// What becomes of saves for which there is no room.
var (
	// ErrReplaced is the outcome of a save that waited and was dropped for a
	// newer one, with Replace.
	ErrReplaced = errors.New("replaced by a newer save before it was written")
	// ErrSkipped is returned by Checkpoint.Write and SaveAs, with Skip.
	ErrSkipped = errors.New("skipped: other saves are still to be written")
)

// AsyncStats tell what became of a Checkpoint's asynchronous saves, its own
// and its managers'.
type AsyncStats struct {
	Written, Failed, Skipped, Replaced int64
	Waiting                            int // now, besides the one being written
}

// AsyncStats returns the statistics as of now.
func (c *Checkpoint) AsyncStats() AsyncStats {
	s := c.outcomes.statistics()
	s.Waiting = c.queue.Waiting()
	return s
}

func (a *Async) check() error {
	switch {
	case a.Queue < 0:
		return fmt.Errorf("Async.Queue is %d, want 0 or more", a.Queue)
	case a.WhenFull < Block || a.WhenFull > Replace:
		return fmt.Errorf("Async.WhenFull is %d, want Block, Skip or Replace", a.WhenFull)
	}
	return nil
}

func (a *Async) limit() queue.Limit {
	if a.WhenFull == Replace {
		return queue.Limit{Waiting: max(a.Queue, 1), Replace: true}
	}
	return queue.Limit{Waiting: a.Queue}
}

// Sync waits until the asynchronous saves that were begun before, also by
// managers of c, are written, and returns the errors that nobody was told yet.
// If ctx ends first the writing goes on. Without such saves it returns at
// once. (TensorFlow: tf.train.Checkpoint.sync)
func (c *Checkpoint) Sync(ctx context.Context) error {
	return c.sync(ctx, nil)
}

// sync is Sync; with an owner only the errors of his saves are returned.
func (c *Checkpoint) sync(ctx context.Context, owner any) error {
	if c.inHook(ctx) {
		return fmt.Errorf("sync: %w", ErrSaving)
	}
	err := c.queue.Wait(ctx)
	if err != nil {
		err = fmt.Errorf("sync: %w", err)
	}
	return alsoFailed(errors.Join(c.outcomes.take(owner)...), err)
}

// use lets the caller, and nobody else, use the objects until done.
func (c *Checkpoint) use(ctx context.Context) (done func(), err error) {
	if c.inHook(ctx) || !c.busy.TryLock() {
		return nil, ErrSaving
	}
	return c.busy.Unlock, nil
}

// room waits until there is room for a save of owner, whose call uses the
// objects: until it ends nobody else can take the room. With Skip it returns
// ErrSkipped instead.
func (c *Checkpoint) room(ctx context.Context, a *Async, owner any) error {
	if a.WhenFull == Skip && c.queue.Full(owner, a.limit()) {
		c.outcomes.count(ErrSkipped)
		return ErrSkipped
	}
	return c.queue.Room(ctx, owner, a.limit())
}

// memory is what the copies of asynchronous saves may take.
func (c *Checkpoint) memory() publish.Memory {
	return publish.Memory{Pool: c.snapshots, Limit: c.o.SnapshotMemory}
}
