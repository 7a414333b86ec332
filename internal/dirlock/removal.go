package dirlock

import (
	"context"
	"errors"
	"time"

	"github.com/ckpt-dev/ckpt/internal/fence"
	"github.com/ckpt-dev/ckpt/storage"
)

// The writers' lock is held as long as somebody trains. What pins, tags and
// leases a checkpoint must not wait for that, and yet exclude one thing: that
// a sweep looks, finds nothing in its way, and removes what was pinned since.
// So there is a second lock, for moments: a sweep holds it from its last look
// at pins and leases until the indexes are gone, and whoever pins or leases
// while it writes that down and makes sure that the checkpoint is there.

const (
	// Leases is where leases lie, out of the way of people and of TensorFlow.
	Leases = ".ckpt.leases"
	// Tokens is where writers' leases lie, if there are any.
	Tokens = fence.Tokens
	// Removal is the lock's name. It is in a directory of its own because
	// taking a lock may list the directory it is in.
	Removal = Leases + "/removal"

	// Others hold the lock for one small write or one removal.
	SweepPatience = 2 * time.Second  // the next sweep is soon enough
	PinPatience   = 30 * time.Second // a removal of many large files takes its time

	// removalTTL is shorter than PinPatience: who waits outlives a dead holder.
	removalTTL = 20 * time.Second
)

// BetweenSweeps runs do while nobody else removes, pins or leases anything in
// dir, waiting for that no longer than patience. It is to write to the Dir that
// it is given.
func BetweenSweeps(ctx context.Context, dir storage.Dir, patience time.Duration, do func(storage.Dir) error) error {
	lock, err := lockRemoval(ctx, dir, patience)
	if err != nil {
		return err
	}
	err = InTurn(ctx, lock, func() error { return do(Guarded(lock, dir)) })
	if failed := lock.Unlock(); err == nil {
		err = failed
	}
	return err
}

// locklessRemovals has the turns of places without locks, as lockless has for
// writers. Processes cannot keep each other out there, and a pin may come too
// late by the moment between a sweep's look and its removal.
var locklessRemovals = storage.NewTurns()

func lockRemoval(ctx context.Context, dir storage.Dir, patience time.Duration) (storage.Held, error) {
	end := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		t := fence.Terms{TTL: removalTTL, Patience: max(time.Until(end), time.Millisecond)}
		lock, err := lockOrLease(ctx, dir, Removal, t)
		if errors.Is(err, errors.ErrUnsupported) {
			return unlocked{locklessRemovals}, nil
		}
		if !errors.Is(err, storage.ErrLocked) || time.Now().After(end) {
			return lock, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
