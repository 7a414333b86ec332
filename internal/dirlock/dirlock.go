// Package dirlock has the two locks of a directory of checkpoints: one is held
// by who writes checkpoints, as long as he is at it, and one for moments, by who
// removes any or marks one as not to be removed.
package dirlock

import (
	"context"
	"errors"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Exclusive runs do while this process, and in it this goroutine, is the only
// one that writes to dir.
func Exclusive(ctx context.Context, dir storage.Dir, do func() error) error {
	lock, _, err := Lock(ctx, dir)
	if err != nil {
		return err
	}
	err = InTurn(ctx, lock, do)
	if failed := lock.Unlock(); err == nil {
		err = failed
	}
	return err
}

// Lock keeps other processes from writing to dir. A place without locks
// offers no such protection, and is not locked then; TensorFlow's users live
// without it everywhere.
func Lock(ctx context.Context, dir storage.Dir) (lock storage.Held, locked bool, err error) {
	lock, err = storage.Lock(ctx, dir, filename.State)
	if errors.Is(err, errors.ErrUnsupported) {
		return unlocked{lockless}, false, nil
	}
	return lock, err == nil, err
}

// lockless has the turns of all places without locks, which cannot tell
// whether two of them are one.
var lockless = storage.NewTurns()

// unlocked is the lock of such a place.
type unlocked struct{ storage.Turns }

// Unlock does nothing.
func (unlocked) Unlock() error { return nil }

// InTurn runs do when no other of the process writes to the directory: the
// lock is shared in it, and one's state update would be lost in another's.
func InTurn(ctx context.Context, lock storage.Held, do func() error) error {
	end, err := lock.Turn(ctx)
	if err != nil {
		return err
	}
	defer end()
	return do()
}
