package storage

import (
	"context"
	"errors"
	"fmt"
)

// Locker is a Dir in which one process can keep others out.
// Call Lock instead of its method.
type Locker interface {
	Lock(ctx context.Context, name string) (Held, error)
}

// Held is a lock that this process holds, for one of those in it that took it.
type Held interface {
	// Turn waits until none of the others has its turn, whatever Dir and
	// whatever path they took the lock by, and keeps them waiting until end.
	// Whoever has a turn must not ask for another before its end.
	Turn(ctx context.Context) (end func(), err error)
	// Unlock gives the lock up. A second Unlock does nothing.
	Unlock() error
}

// ErrLocked is what Lock wraps when another process holds the lock; the text
// says which.
var ErrLocked = errors.New("locked by another process")

// ErrFenced is what a writer's change of a place is refused with when another
// has taken over its lease meanwhile; the text says which. It wraps ErrLocked.
var ErrFenced = fmt.Errorf("the lease was lost to another writer: %w", ErrLocked)

// Lock takes the lock name of d for this process, without waiting, or returns
// an error that wraps ErrLocked. It is shared within the process: it may be
// taken again and ends with the last Unlock, or with the process, however that
// ends; those who share it take turns. It binds only those who take it: readers
// need none. A name is as a file's, but names no file. A place without locks
// gives an error that wraps errors.ErrUnsupported.
func Lock(ctx context.Context, d Dir, name string) (Held, error) {
	if l, ok := d.(Locker); ok {
		return l.Lock(ctx, name)
	}
	return nil, pathError("lock", name, fmt.Errorf("this storage has no locks: %w", errors.ErrUnsupported))
}

// Turns makes a Held's Turn: a mutex that a context can stop waiting for.
type Turns chan struct{} // holds one element while somebody has the turn

// NewTurns returns Turns that nobody has.
func NewTurns() Turns { return make(Turns, 1) }

// Turn is as Held's.
func (t Turns) Turn(ctx context.Context) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
