// Package dirlock has the two locks of a directory of checkpoints: one is held
// by who writes checkpoints, as long as he is at it, and one for moments, by who
// removes any or marks one as not to be removed. Where a place has no locks, or
// is known not to rely on them, a lease of package fence takes a lock's place.
package dirlock

import (
	"context"
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/fence"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Exclusive runs do while this process, and in it this goroutine, is the only
// one that writes to dir. It is to write to the Dir that it is given.
func Exclusive(ctx context.Context, dir storage.Dir, do func(storage.Dir) error) error {
	lock, _, err := Lock(ctx, dir)
	if err != nil {
		return err
	}
	err = InTurn(ctx, lock, func() error { return do(Guarded(lock, dir)) })
	if failed := lock.Unlock(); err == nil {
		err = failed
	}
	return err
}

// Lock keeps other processes from writing to dir. A place with neither locks
// nor a way to tell who made a file offers no such protection, and is not
// locked then; TensorFlow's users live without it everywhere.
func Lock(ctx context.Context, dir storage.Dir) (lock storage.Held, locked bool, err error) {
	lock, err = lockOrLease(ctx, dir, filename.State, fence.Terms{})
	if errors.Is(err, errors.ErrUnsupported) {
		return unlocked{lockless}, false, nil
	}
	return lock, err == nil, err
}

// lockOrLease takes the lock name; a lease beside it where somebody uses one;
// and the lease alone where there are no locks.
func lockOrLease(ctx context.Context, dir storage.Dir, name string, t fence.Terms) (storage.Held, error) {
	lock, err := storage.Lock(ctx, dir, name)
	if errors.Is(err, errors.ErrUnsupported) {
		return leased(fence.Lock(ctx, dir, name, t))
	}
	if err != nil {
		return nil, err
	}
	used, err := fence.InUse(ctx, dir)
	if err != nil {
		return nil, withUnlock(err, lock)
	}
	if !used {
		return lock, nil
	}
	lease, err := fence.Lock(ctx, dir, name, t)
	if errors.Is(err, errors.ErrUnsupported) {
		return lock, nil
	}
	if err != nil {
		return nil, withUnlock(err, lock)
	}
	return both{lock, lease}, nil
}

// leased keeps a nil lease from becoming a Held that is not nil.
func leased(lease *fence.Held, err error) (storage.Held, error) {
	if err != nil {
		return nil, err
	}
	return lease, nil
}

// withUnlock gives up the lock because of err.
func withUnlock(err error, lock storage.Held) error { return errors.Join(err, lock.Unlock()) }

// both are a lock and the lease beside it.
type both struct {
	storage.Held
	lease *fence.Held
}

func (b both) Turn(ctx context.Context) (end func(), err error) {
	next, err := b.Held.Turn(ctx)
	if err != nil {
		return nil, err
	}
	b.lease.Begin()
	return func() { b.lease.Settle(); next() }, nil
}

func (b both) Unlock() error { return errors.Join(b.lease.Unlock(), b.Held.Unlock()) }

// Guarded returns dir as who holds the lock is to write to it.
func Guarded(lock storage.Held, dir storage.Dir) storage.Dir {
	switch l := lock.(type) {
	case *fence.Held:
		return l.Guard(dir)
	case both:
		return l.lease.Guard(dir)
	}
	return dir
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

// Free returns an error that wraps storage.ErrLocked if somebody who has lost
// the lease on dir, which is Guarded's, may still change the checkpoint path.
func Free(dir storage.Dir, path string) error {
	if who := fence.Busy(dir, path); who != "" {
		return fmt.Errorf("%w: %s may still be changed by %s", storage.ErrLocked, path, who)
	}
	return nil
}

// Tell has tell called when a lease that is held begins not to be renewed. A lock
// needs no renewal.
func Tell(lock storage.Held, tell func(error)) {
	switch l := lock.(type) {
	case *fence.Held:
		l.Tell(tell)
	case both:
		l.lease.Tell(tell)
	}
}

// Token returns the token of the lease that changes of dir are made under, 0
// if it is a lock.
func Token(dir storage.Dir) int64 { return fence.Token(dir) }
