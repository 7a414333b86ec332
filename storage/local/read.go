package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

func (d *dir) Open(ctx context.Context, name string) (storage.File, error) {
	path, err := d.begin(ctx, "open", name)
	if err != nil {
		return nil, err
	}
	f, err := d.fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, d.failed("open", path, err)
	}
	size, err := regularSize(f)
	if err != nil {
		return nil, errors.Join(d.failed("open", path, err), f.Close())
	}
	return &file{ctx: ctx, d: d, path: path, File: f, size: size}, nil
}

// regularSize refuses directories, which cannot be read, and pipes and
// devices, which have neither an end nor a second reading.
func regularSize(f vfs.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, because(fs.ErrInvalid, "is %s, not a regular file", kind(info.Mode()))
	}
	return info.Size(), nil
}

// file keeps the context of its Open for every read.
type file struct {
	vfs.File
	ctx  context.Context
	d    *dir
	path string
	size int64

	mu     sync.Mutex
	direct vfs.File // the same file, read past the system's cache; nil before the first such read
	cached bool     // there can be none
}

func (f *file) Size() int64 { return f.size }

// ReadAt reads as ReadvAt does.
func (f *file) ReadAt(b []byte, off int64) (int, error) { return f.ReadvAt([][]byte{b}, off) }

// ReadvAt reads to several places what lies side by side. Much at once it reads
// past the system's cache if that has not got it: a restore would push out what
// the machine's other programs have there, for bytes that are read once, and take
// twice the processor time. What is in the cache goes from there to its place.
func (f *file) ReadvAt(list [][]byte, off int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	to := placesOf(list)
	size := to.left
	if f.isCold(size, off) {
		if err := f.readPast(&to, off); err != nil {
			return size - to.left, err
		}
	}
	for to.left > 0 {
		n, err := f.File.ReadAt(to.next(), off+int64(size-to.left))
		to.filled(n)
		switch {
		case err == nil || to.left == 0 && err == io.EOF:
		case err == io.EOF:
			return size - to.left, err
		default:
			return size - to.left, f.d.failed("read", f.path, err)
		}
	}
	return size, nil
}

func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cached = true
	err := f.File.Close()
	if f.direct != nil {
		err = errors.Join(err, f.direct.Close())
		f.direct = nil
	}
	if err != nil {
		return f.d.failed("close", f.path, err)
	}
	return nil
}
