package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

// growing is a file under its own name, of which the first off bytes are written.
type growing struct {
	ctx    context.Context
	d      *dir
	path   string
	f      vfs.File
	off    int64
	err    error // the first failure: nothing is tried again after it
	closed bool
}

func (d *dir) Append(ctx context.Context, name string) (storage.Growing, error) {
	path, err := d.begin(ctx, "append", name)
	if err != nil {
		return nil, err
	}
	g := &growing{ctx: ctx, d: d, path: path}
	err = d.inDir(filepath.Dir(path), func() (err error) {
		g.f, err = d.fsys.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	if err != nil {
		return nil, d.failed("append", path, err)
	}
	if err := d.flushDirOf(path); err != nil {
		return nil, errors.Join(err, g.f.Close(), d.fsys.Unlink(path))
	}
	return g, nil
}

// ready returns why nothing more can be done with g, if so.
func (g *growing) ready(op string) error {
	if g.closed {
		return pathError(op, g.path, because(fs.ErrClosed, "already closed"))
	}
	if g.err == nil {
		g.err = g.ctx.Err()
	}
	return g.err
}

func (g *growing) fail(op string, err error) error {
	if err != nil {
		g.err = g.d.failed(op, g.path, err)
	}
	return g.err
}

func (g *growing) Write(b []byte) (int, error) {
	if err := g.ready("write"); err != nil {
		return 0, err
	}
	n, err := g.f.WriteAt(b, g.off)
	g.off += int64(n)
	return n, g.fail("write", err)
}

func (g *growing) Sync() error {
	if err := g.ready("flush"); err != nil {
		return err
	}
	return g.fail("flush", g.f.Sync())
}

// Close closes the file whatever happens.
func (g *growing) Close() error {
	err := g.Sync()
	if g.closed {
		return err
	}
	g.closed = true
	if closed := g.f.Close(); err == nil && closed != nil {
		err = g.d.failed("close", g.path, closed)
	}
	return err
}
