package mem

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
)

type file struct {
	ctx    context.Context
	name   string
	data   []byte
	closed atomic.Bool
}

func (f *file) Size() int64 { return int64(len(f.data)) }

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	if f.closed.Load() {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	if off < 0 {
		return 0, pathError("read", f.name, fmt.Errorf("negative offset %d: %w", off, fs.ErrInvalid))
	}
	if off >= f.Size() {
		return 0, io.EOF
	}
	n := copy(b, f.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Close() error {
	if f.closed.Swap(true) {
		return pathError("close", f.name, fs.ErrClosed)
	}
	return nil
}
