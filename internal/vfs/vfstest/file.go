package vfstest

import (
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

type hookFile struct {
	inner vfs.File
	h     *hookFS
	name  string
}

func (f *hookFile) op(verb string, size int64) Op { return Op{Verb: verb, Path: f.name, Size: size} }

func (f *hookFile) opAt(verb string, p []byte, off int64) Op {
	return Op{Verb: verb, Path: f.name, Size: int64(len(p)), At: off}
}

func (f *hookFile) ReadAt(p []byte, off int64) (int, error) {
	return asked(f.h, f.opAt("read", p, off), func() (int, error) { return f.inner.ReadAt(p, off) })
}

func (f *hookFile) WriteAt(p []byte, off int64) (int, error) {
	really, err := f.h.ask(f.opAt("write", p, off))
	switch {
	case err == nil:
		return f.inner.WriteAt(p, off)
	case !really:
		p = p[:len(p)/2] // a full disk takes what still fits
	}
	n, _ := f.inner.WriteAt(p, off)
	return n, err
}

func (f *hookFile) Close() error {
	_, asked := f.h.ask(f.op("close", 0))
	if err := f.inner.Close(); err != nil {
		return err
	}
	return asked
}

func (f *hookFile) Truncate(size int64) error {
	return f.h.then(f.op("truncate", size), func() error { return f.inner.Truncate(size) })
}

func (f *hookFile) Preallocate(size int64) error {
	return f.h.then(f.op("preallocate", size), func() error { return f.inner.Preallocate(size) })
}

func (f *hookFile) Sync() error    { return f.h.then(f.op("sync", 0), f.inner.Sync) }
func (f *hookFile) TryLock() error { return f.h.then(f.op("trylock", 0), f.inner.TryLock) }

func (f *hookFile) Stat() (fs.FileInfo, error) {
	return asked(f.h, f.op("fstat", 0), f.inner.Stat)
}

// InCache fails where the file system below cannot tell.
func (f *hookFile) InCache(off, n int64) (int64, error) {
	return asked(f.h, f.op("cachestat", n), func() (int64, error) {
		if c, ok := f.inner.(vfs.Cacher); ok {
			return c.InCache(off, n)
		}
		return 0, errors.ErrUnsupported
	})
}
