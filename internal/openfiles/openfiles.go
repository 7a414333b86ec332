// Package openfiles has files of a directory that are read whenever somebody
// asks for them.
package openfiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
)

// Files are the open files of one checkpoint. They are opened when they are
// first asked for and stay open until Close. A restore that waited for its
// object may read after that: then a file is opened for the one reading, and
// not with the context of the caller of long ago.
type Files struct {
	Dir storage.Dir // where they are

	ctx context.Context

	mu     sync.RWMutex
	open   map[string]*File // by name
	closed bool
}

// File is one of them. Its ReadAt can be used at any time.
type File struct {
	Name string
	Size int64

	of     *Files
	opened storage.File // nil: it was closed
}

// New returns the files of dir. Until Close, ctx ends all reading.
func New(ctx context.Context, dir storage.Dir) *Files {
	return &Files{Dir: dir, ctx: ctx, open: make(map[string]*File)}
}

// File opens the file name.
func (s *Files) File(name string) (*File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.open[name]; f != nil {
		return f, nil
	}
	opened, err := s.Dir.Open(s.context(), name)
	if err != nil {
		return nil, err
	}
	f := &File{Name: name, Size: opened.Size(), of: s}
	s.open[name] = f
	if s.closed {
		return f, opened.Close()
	}
	f.opened = opened
	return f, nil
}

// Context is the caller's until Close.
func (s *Files) Context() context.Context {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.context()
}

// context is Context for who has the lock.
func (s *Files) context() context.Context {
	if s.closed {
		return context.WithoutCancel(s.ctx)
	}
	return s.ctx
}

// Replaced reports whether the name of a file that was opened is another's now,
// with other bytes, or nobody's.
func (s *Files) Replaced(name string) (_ bool, err error) {
	was, err := s.File(name)
	if err != nil {
		return false, err
	}
	now, err := s.Dir.Open(s.Context(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, now.Close()) }()
	if now.Size() != was.Size {
		return true, nil
	}
	same, err := equal(io.NewSectionReader(was, 0, was.Size), io.NewSectionReader(now, 0, was.Size))
	return !same, err
}

// equal compares what two readers of one length have.
func equal(a, b io.Reader) (bool, error) {
	var x, y [16 << 10]byte
	for {
		n, err := io.ReadFull(a, x[:])
		m, other := io.ReadFull(b, y[:])
		switch {
		case !bytes.Equal(x[:n], y[:m]):
			return false, nil
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return true, nil
		case err != nil || other != nil:
			return false, errors.Join(err, other)
		}
	}
}

// Close closes all files, and waits for the readings in progress.
func (s *Files) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var first error
	for _, f := range s.open {
		if f.opened == nil {
			continue
		}
		if err := f.opened.Close(); first == nil {
			first = err
		}
		f.opened = nil
	}
	return first
}

// ReadAt reads as io.ReaderAt does.
func (f *File) ReadAt(b []byte, off int64) (int, error) { return f.ReadvAt([][]byte{b}, off) }

// ReadvAt reads as format.Scatterer does.
func (f *File) ReadvAt(to [][]byte, off int64) (int, error) {
	f.of.mu.RLock()
	defer f.of.mu.RUnlock()
	if f.opened != nil {
		return format.ReadvAt(f.opened, to, off)
	}
	return f.reopenAt(to, off)
}

// reopenAt reads from a file that was closed. It may have been replaced, in
// the extreme by one of another size: that is told here, all else by checksums.
func (f *File) reopenAt(to [][]byte, off int64) (n int, err error) {
	again, err := f.of.Dir.Open(f.of.context(), f.Name)
	if err != nil {
		return 0, err
	}
	defer func() {
		if closed := again.Close(); err == nil {
			err = closed
		}
	}()
	if again.Size() != f.Size {
		return 0, fmt.Errorf("%s: has %d bytes, had %d when it was opened first: it was replaced", f.Name, again.Size(), f.Size)
	}
	return format.ReadvAt(again, to, off)
}
