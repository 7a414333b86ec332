package vfstest

import (
	"sync"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// A Recorder keeps the operations of a file system, in the order they began.
type Recorder struct {
	mu  sync.Mutex
	ops []Op
}

// Record returns inner with its operations recorded.
func Record(inner vfs.FS) (vfs.FS, *Recorder) {
	r := new(Recorder)
	return Hook(inner, r.add), r
}

func (r *Recorder) add(op Op) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, op)
	return nil
}

// Take returns what was recorded since the last Take.
func (r *Recorder) Take() []Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	ops := r.ops
	r.ops = nil
	return ops
}

// FailAt returns inner with the i-th operation, counted from 0, failing with
// err, and a function that returns the operation it hit, once it did.
func FailAt(inner vfs.FS, i int, err error) (vfs.FS, func() (Op, bool)) {
	f := &fault{left: i, err: err}
	return Hook(inner, f.next), f.hit
}

type fault struct {
	mu   sync.Mutex
	left int // operations that still succeed; negative once one failed
	err  error
	op   Op
}

func (f *fault) next(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left--
	if f.left != -1 {
		return nil
	}
	f.op = op
	return f.err
}

func (f *fault) hit() (Op, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.op, f.left < 0
}
