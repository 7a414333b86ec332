package checkpoint

import (
	"context"
	"fmt"
	"sync"

	"github.com/ckpt-dev/ckpt/storage"
)

// files are the open files of one checkpoint. They are opened when they are
// first asked for and stay open until Close. A restore that waited for its
// object may read after that: then a file is opened for the one reading, and
// not with the context of the caller of long ago.
type files struct {
	ctx context.Context
	dir storage.Dir

	mu     sync.RWMutex
	open   map[string]*file // by name
	closed bool
}

// file is one of them. Its ReadAt can be used at any time.
type file struct {
	of     *files
	name   string
	size   int64
	opened storage.File
}

func newFiles(ctx context.Context, dir storage.Dir) *files {
	return &files{ctx: ctx, dir: dir, open: make(map[string]*file)}
}

// file opens the file name.
func (s *files) file(name string) (*file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.open[name]; f != nil {
		return f, nil
	}
	opened, err := s.dir.Open(s.context(), name)
	if err != nil {
		return nil, err
	}
	f := &file{of: s, name: name, size: opened.Size()}
	s.open[name] = f
	if s.closed {
		return f, opened.Close()
	}
	f.opened = opened
	return f, nil
}

// context is the caller's until Close.
func (s *files) context() context.Context {
	if s.closed {
		return context.WithoutCancel(s.ctx)
	}
	return s.ctx
}

// close closes all files, and waits for the readings in progress.
func (s *files) close() error {
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

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	f.of.mu.RLock()
	defer f.of.mu.RUnlock()
	if f.opened != nil {
		return f.opened.ReadAt(b, off)
	}
	return f.reopenAt(b, off)
}

// reopenAt reads from a file that was closed. It may have been replaced, in
// the extreme by one of another size: that is told here, all else by checksums.
func (f *file) reopenAt(b []byte, off int64) (n int, err error) {
	again, err := f.of.dir.Open(f.of.context(), f.name)
	if err != nil {
		return 0, err
	}
	defer func() {
		if closed := again.Close(); err == nil {
			err = closed
		}
	}()
	if again.Size() != f.size {
		return 0, fmt.Errorf("%s: has %d bytes, had %d when it was opened first: it was replaced", f.name, again.Size(), f.size)
	}
	return again.ReadAt(b, off)
}
