// Package openfiles has files of a directory that are read whenever somebody
// asks for them.
package openfiles

import (
	"context"
	"fmt"
	"sync"

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

// context is the caller's until Close.
func (s *Files) context() context.Context {
	if s.closed {
		return context.WithoutCancel(s.ctx)
	}
	return s.ctx
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
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	f.of.mu.RLock()
	defer f.of.mu.RUnlock()
	if f.opened != nil {
		return f.opened.ReadAt(b, off)
	}
	return f.reopenAt(b, off)
}

// reopenAt reads from a file that was closed. It may have been replaced, in
// the extreme by one of another size: that is told here, all else by checksums.
func (f *File) reopenAt(b []byte, off int64) (n int, err error) {
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
	return again.ReadAt(b, off)
}
