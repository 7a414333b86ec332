package vfstest

import (
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// maxFile keeps the list of a file's blocks short.
const maxFile = 1 << 34

// strictFile is an open file.
type strictFile struct {
	s      *Strict
	node   int
	name   string
	flag   int
	closed bool
}

// do runs an operation on the open file.
func (f *strictFile) do(op string, do func(n *node) error) error {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	err := fs.ErrClosed
	if !f.closed {
		err = do(f.s.nodes[f.node])
	}
	if err == nil || err == io.EOF {
		return err
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

func (f *strictFile) ReadAt(p []byte, off int64) (got int, err error) {
	err = f.do("read", func(n *node) error {
		switch {
		case off < 0:
			return errNegative
		case len(p) == 0:
			return nil
		case f.flag&os.O_WRONLY != 0:
			return syscall.EBADF
		case n.dir:
			return syscall.EISDIR
		case !f.aligned(p, off):
			return syscall.EINVAL
		}
		if got = n.seen.read(p, off); got < len(p) {
			return io.EOF
		}
		return nil
	})
	return got, err
}

func (f *strictFile) WriteAt(p []byte, off int64) (written int, err error) {
	err = f.do("write", func(n *node) error {
		switch {
		case off < 0:
			return errNegative
		case len(p) == 0:
			return nil
		case !writes(f.flag):
			return syscall.EBADF
		case !f.aligned(p, off):
			return syscall.EINVAL
		case off+int64(len(p)) > maxFile:
			return syscall.EFBIG
		}
		f.s.addBytes(f.node, f.name, p, off)
		n.seen.content = n.seen.write(p, off)
		f.grow(n, off+int64(len(p)))
		written = len(p)
		f.changed("write", written)
		return nil
	})
	return written, err
}

func (f *strictFile) changed(verb string, size int) {
	f.s.changed(Op{Verb: verb, Path: f.name, Size: int64(size)}, f.node)
}

// grow makes the file at least size bytes long.
func (f *strictFile) grow(n *node, size int64) {
	if size > n.seen.size {
		f.s.addSize(f.node, f.name, size)
		n.seen.content = n.seen.resize(size)
	}
}

// aligned reports whether a read or write may pass the system's cache by. The
// file's own end may be anywhere, a write's not.
func (f *strictFile) aligned(p []byte, off int64) bool {
	const mask = blockSize - 1
	return oDirect == 0 || f.flag&oDirect == 0 || off&mask == 0 && len(p)&mask == 0 && address(p)&mask == 0
}

func (f *strictFile) Truncate(size int64) error {
	return f.do("truncate", func(n *node) error {
		if size < 0 || !writes(f.flag) {
			return syscall.EINVAL
		}
		if size > maxFile {
			return syscall.EFBIG
		}
		if size != n.seen.size {
			f.s.addSize(f.node, f.name, size)
			n.seen.content = n.seen.resize(size)
		}
		f.changed("truncate", int(size))
		return nil
	})
}

func (f *strictFile) Preallocate(size int64) error {
	return f.do("fallocate", func(n *node) error {
		switch {
		case size <= 0:
			return nil
		case !writes(f.flag):
			return syscall.EBADF
		case size > maxFile:
			return syscall.EFBIG
		}
		f.grow(n, size)
		f.changed("preallocate", int(size))
		return nil
	})
}

func (f *strictFile) Sync() error {
	return f.do("fdatasync", func(*node) error {
		return f.s.sync(Op{Verb: "sync", Path: f.name}, f.node)
	})
}

func (f *strictFile) Stat() (info fs.FileInfo, err error) {
	err = f.do("stat", func(*node) error {
		info = f.s.info(f.node, f.name)
		return nil
	})
	return info, err
}

func (f *strictFile) TryLock() error {
	return f.do("flock", func(*node) error {
		if by := f.s.locks[f.node]; by != nil && by != f {
			return vfs.ErrLocked
		}
		f.s.locks[f.node] = f
		return nil
	})
}

func (f *strictFile) Close() error {
	return f.do("close", func(*node) error {
		f.closed = true
		if f.s.locks[f.node] == f {
			delete(f.s.locks, f.node)
		}
		if f.s.open[f.node]--; f.s.open[f.node] == 0 {
			delete(f.s.open, f.node)
		}
		f.s.drop()
		return nil
	})
}
