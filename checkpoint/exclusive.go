package checkpoint

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"github.com/ckpt-dev/ckpt/storage"
)

// exclusive runs do while this process, and in it this goroutine, is the only
// one that writes to dir.
func exclusive(ctx context.Context, dir storage.Dir, do func() error) error {
	unlock, _, err := lockDir(ctx, dir)
	if err != nil {
		return err
	}
	err = inTurn(ctx, dir, do)
	if failed := unlock(); err == nil {
		err = failed
	}
	return err
}

// lockDir keeps other processes from writing to dir. A place without locks
// offers no such protection, and is not locked then; TensorFlow's users live
// without it everywhere.
func lockDir(ctx context.Context, dir storage.Dir) (unlock func() error, locked bool, err error) {
	unlock, err = storage.Lock(ctx, dir, stateName)
	if errors.Is(err, errors.ErrUnsupported) {
		return func() error { return nil }, false, nil
	}
	return unlock, err == nil, err
}

// turns are the directories somebody in this process writes to now. The lock
// of a directory is shared within the process, so that its writers need to
// take turns, or one's state update would be lost in another's. They know
// each other by the Dir value they were given.
var turns = struct {
	mu  sync.Mutex
	dir map[storage.Dir]*turn
}{dir: make(map[storage.Dir]*turn)}

// turn is a mutex that a context can stop waiting for.
type turn struct {
	taken chan struct{} // holds one element while somebody's turn it is
	users int           // turns.mu; those inside and those waiting
}

// inTurn runs do when no other inTurn of the same dir runs.
func inTurn(ctx context.Context, dir storage.Dir, do func() error) error {
	if !reflect.ValueOf(dir).Comparable() {
		return do()
	}
	t := join(dir)
	defer t.leave(dir)
	select {
	case t.taken <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t.taken }()
	return do()
}

func join(dir storage.Dir) *turn {
	turns.mu.Lock()
	defer turns.mu.Unlock()
	t := turns.dir[dir]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		turns.dir[dir] = t
	}
	t.users++
	return t
}

func (t *turn) leave(dir storage.Dir) {
	turns.mu.Lock()
	defer turns.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(turns.dir, dir)
	}
}
