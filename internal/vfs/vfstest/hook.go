// Package vfstest puts a test between storage/local and the file system: it
// tells every operation before it happens, so that the test can write it down
// or make it fail. And it puts a file system below them, Strict, of which power
// cuts leave no more than package vfs promises.
package vfstest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// Op is one operation about to happen.
type Op struct {
	Verb string // "open", "create", "write", "sync", "syncdir", "rename" ...
	Path string // of the file or directory
	To   string // the new name, of rename and link
	Size int64  // bytes, of read, write, truncate and preallocate
	At   int64  // where in the file, of read and write
}

// String returns the operation as a line of a trace.
func (o Op) String() string {
	s := o.Verb + " " + o.Path
	if o.To != "" {
		s += " -> " + o.To
	}
	if o.Size != 0 {
		s += fmt.Sprintf(" (%d bytes)", o.Size)
	}
	return s
}

// Done returns err in a form that lets the operation be done and fail
// nevertheless: a server whose answer was lost has done what its client is told
// has failed.
func Done(err error) error { return &done{err} }

type done struct{ error }

func (d *done) Unwrap() error { return d.error }

// Hook returns inner with before called ahead of every operation, by the
// goroutine that does it. If before returns an error the operation fails with
// it and is not done, except that a write leaves half of its bytes and a close
// still closes, as on a real disk; and see Done.
func Hook(inner vfs.FS, before func(Op) error) vfs.FS {
	return &hookFS{inner, before}
}

type hookFS struct {
	inner  vfs.FS
	before func(Op) error
}

// ask tells the operation to the test and dresses its error as the system
// would. With an error, it says whether the operation is to be done before.
func (h *hookFS) ask(op Op) (really bool, err error) {
	err = h.before(op)
	if d, ok := err.(*done); ok {
		really, err = true, d.error
	}
	switch {
	case err == nil:
		return false, nil
	case op.To != "":
		return really, &os.LinkError{Op: op.Verb, Old: op.Path, New: op.To, Err: err}
	}
	return really, &fs.PathError{Op: op.Verb, Path: op.Path, Err: err}
}

// asked does an operation that changes nothing unless the test makes it fail.
func asked[T any](h *hookFS, op Op, do func() (T, error)) (T, error) {
	if _, err := h.ask(op); err != nil {
		var none T
		return none, err
	}
	return do()
}

// then does an operation that changes something.
func (h *hookFS) then(op Op, do func() error) error {
	really, err := h.ask(op)
	if err == nil {
		return do()
	}
	if really {
		_ = do() // whatever came of it, the answer is lost
	}
	return err
}

func (h *hookFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	verb := "open"
	if flag&os.O_CREATE != 0 {
		verb = "create"
	}
	var f vfs.File
	failed := h.then(Op{Verb: verb, Path: name}, func() (err error) {
		f, err = h.inner.OpenFile(name, flag, perm)
		return err
	})
	if failed == nil {
		return &hookFile{f, h, name}, nil
	}
	if f != nil { // a file that nobody gets
		_ = f.Close()
	}
	return nil, failed
}

func (h *hookFS) Stat(name string) (fs.FileInfo, error) {
	return asked(h, Op{Verb: "stat", Path: name}, func() (fs.FileInfo, error) { return h.inner.Stat(name) })
}

func (h *hookFS) Lstat(name string) (fs.FileInfo, error) {
	return asked(h, Op{Verb: "lstat", Path: name}, func() (fs.FileInfo, error) { return h.inner.Lstat(name) })
}

func (h *hookFS) Rename(oldname, newname string) error {
	return h.then(Op{Verb: "rename", Path: oldname, To: newname}, func() error { return h.inner.Rename(oldname, newname) })
}

func (h *hookFS) Link(oldname, newname string) error {
	return h.then(Op{Verb: "link", Path: oldname, To: newname}, func() error { return h.inner.Link(oldname, newname) })
}

func (h *hookFS) Unlink(name string) error {
	return h.then(Op{Verb: "unlink", Path: name}, func() error { return h.inner.Unlink(name) })
}

func (h *hookFS) Mkdir(name string, perm fs.FileMode) error {
	return h.then(Op{Verb: "mkdir", Path: name}, func() error { return h.inner.Mkdir(name, perm) })
}

func (h *hookFS) Rmdir(name string) error {
	return h.then(Op{Verb: "rmdir", Path: name}, func() error { return h.inner.Rmdir(name) })
}

func (h *hookFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return asked(h, Op{Verb: "readdir", Path: name}, func() ([]fs.DirEntry, error) { return h.inner.ReadDir(name) })
}

func (h *hookFS) SyncDir(name string) error {
	return h.then(Op{Verb: "syncdir", Path: name}, func() error { return h.inner.SyncDir(name) })
}

// Space is no operation that fails: nothing that is written depends on it.
func (h *hookFS) Space(name string) (vfs.Space, error) {
	if s, ok := h.inner.(vfs.Spacer); ok {
		return s.Space(name)
	}
	return vfs.Space{}, &fs.PathError{Op: "space", Path: name, Err: errors.ErrUnsupported}
}
