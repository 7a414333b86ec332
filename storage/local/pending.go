package local

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

// pending is a file on its way to its name. Where it is on that way:
//
//	Create   an empty file under the reserved name temp
//	Share    a second name temp of a file that is there, in place of Create and Write
//	Write    bytes in the stage or in the file, none of them durable
//	flush    all bytes durable, f closed, still under temp
//	publish  seen under path; after loss of power under path or temp
//	         (where a file was before, path then has the old one)
//	flushDirOf  durable under path
type pending struct {
	ctx    context.Context
	d      *dir
	path   string // where Commit puts it
	temp   string // where it is until then
	f      vfs.File
	small  *[stageSize]byte // nil: not taken from the pool
	stage  []byte           // small, or a buffer of the ring; its first bytes, used, wait for a write
	used   int
	off    int64   // bytes written
	stream *stream // nil: the file is small, or written through the cache
	run    []byte  // of WriteKept: waits for a write too, and nothing is staged; nil: there is none
	hungry bool    // it would be a stream if there was a buffer
	shared bool    // temp is a second name of bytes that are there: see Share
	err    error   // the first failure: nothing is tried again after it
	done   string
}

func (d *dir) Create(ctx context.Context, name string) (storage.Pending, error) {
	path, err := d.begin(ctx, "create", name)
	if err != nil {
		return nil, err
	}
	p := &pending{ctx: ctx, d: d, path: path}
	// In the same directory, because a rename must not leave the file system, and
	// without the name, because the two together could be too long for one.
	p.temp = filepath.Join(filepath.Dir(path), tempPrefix+rand.Text())
	err = d.inDir(filepath.Dir(path), func() (err error) {
		p.f, err = d.fsys.OpenFile(p.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	if err != nil {
		return nil, d.failed("create", path, err)
	}
	d.removeStaleBelow(filepath.Dir(path), p.f)
	return p, nil
}

// ready returns why nothing more can be done with p, if so.
func (p *pending) ready(op string) error {
	if p.done != "" {
		return pathError(op, p.path, because(fs.ErrClosed, "already %s", p.done))
	}
	if p.err == nil {
		p.err = p.ctx.Err()
	}
	return p.err
}

// fail remembers the failure of op, if it is one. A file that could not be
// written or flushed is never tried again: what it holds is not known.
func (p *pending) fail(op string, err error) error {
	if err != nil {
		p.err = p.d.failed(op, p.path, err)
	}
	return p.err
}

// flush makes the bytes durable, still under the reserved name.
func (p *pending) flush() error {
	if err := p.ready("commit"); err != nil {
		return err
	}
	if err := p.writeLast(); err != nil {
		return err
	}
	if err := p.fail("flush", p.f.Sync()); err != nil {
		return err
	}
	return p.fail("close", p.close())
}

// close gives up the file and the stage, once.
func (p *pending) close() error {
	p.wait(false)
	var streamed error
	if p.stream != nil {
		streamed = p.stream.close(p.stage)
		p.stream = nil
	}
	p.dropSmall()
	p.stage, p.used, p.run = nil, 0, nil
	if p.f == nil {
		return streamed
	}
	f := p.f
	p.f = nil
	if err := f.Close(); err != nil {
		return err
	}
	return streamed
}

// publish needs p flushed. The name is durable when its directory is flushed.
func (p *pending) publish() error {
	if err := p.ready("commit"); err != nil {
		return err
	}
	if err := p.fail("rename", p.rename()); err != nil {
		return err
	}
	p.done = "committed"
	return nil
}

// Commit makes the name durable, which Publish does not.
func (p *pending) Commit() error {
	if err := p.Publish(); err != nil {
		return err
	}
	return p.d.flushDirOf(p.path)
}

// Publish flushes before the rename: the other way round a power cut could
// leave the name with a file that lacks its bytes, and without the old one.
func (p *pending) Publish() error {
	err := p.flush()
	if err == nil {
		err = p.publish()
	}
	if err != nil {
		return discardAfter(err, p)
	}
	return nil
}

// Discard need not be durable: what comes back after loss of power has a
// reserved name.
func (p *pending) Discard() error {
	if p.done != "" {
		return nil
	}
	p.done = "discarded"
	closed := p.close()
	if err := p.d.fsys.Unlink(p.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p.d.failed("discard", p.path, err)
	}
	if closed != nil {
		return p.d.failed("discard", p.path, closed)
	}
	return nil
}

// discardAfter discards p after err, and tells what went wrong with that too.
func discardAfter(err error, p storage.Pending) error {
	if failed := p.Discard(); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}
