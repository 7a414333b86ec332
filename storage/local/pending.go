package local

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

const (
	stageSize = 256 << 10 // small pieces are gathered to this before a write
	maxWrite  = 8 << 20   // a larger piece is written in steps, to see the context end
)

var stages = sync.Pool{New: func() any { return new([stageSize]byte) }}

// pending is a file on its way to its name. Where it is on that way:
//
//	Create   an empty file under the reserved name temp
//	Write    bytes in the stage or in the file, none of them durable
//	flush    all bytes durable, f closed, still under temp
//	publish  seen under path; after loss of power under path or temp
//	         (where a file was before, path then has the old one)
//	flushDirOf  durable under path
type pending struct {
	ctx   context.Context
	d     *dir
	path  string // where Commit puts it
	temp  string // where it is until then
	f     vfs.File
	stage *[stageSize]byte // of which the first staged bytes wait for a write
	used  int
	off   int64 // bytes written
	err   error // the first failure: nothing is tried again after it
	done  string
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

func (p *pending) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, p.ready("write")
	}
	for written := 0; ; {
		if err := p.ready("write"); err != nil {
			return written, err
		}
		n, err := p.writeSome(b[written:])
		if err != nil {
			return written, err
		}
		if written += n; written == len(b) {
			return written, nil
		}
	}
}

// writeSome takes the beginning of b: small pieces by way of the stage, large
// ones straight from where they are.
func (p *pending) writeSome(b []byte) (int, error) {
	if p.used > 0 || len(b) < stageSize {
		return p.gather(b)
	}
	b = b[:min(len(b), maxWrite)]
	return len(b), p.writeOut(b)
}

// gather copies from b what the stage has room for.
func (p *pending) gather(b []byte) (int, error) {
	if p.stage == nil {
		p.stage = stages.Get().(*[stageSize]byte)
	}
	n := copy(p.stage[p.used:], b)
	p.used += n
	if p.used == stageSize {
		return n, p.writeStage()
	}
	return n, nil
}

func (p *pending) writeStage() error {
	staged := p.used
	p.used = 0
	return p.writeOut(p.stage[:staged])
}

func (p *pending) writeOut(b []byte) error {
	n, err := p.f.WriteAt(b, p.off)
	p.off += int64(n)
	return p.fail("write", writtenBefore(err, p.off))
}

// writtenBefore adds to the error of a place that is full how much there was
// room for: so much, and more, is missing.
func writtenBefore(err error, n int64) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return because(cause(err), "%v, after %d bytes of this file", cause(err), n)
		}
	}
	return err
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
	if p.used > 0 {
		if err := p.writeStage(); err != nil {
			return err
		}
	}
	if err := p.fail("flush", p.f.Sync()); err != nil {
		return err
	}
	return p.fail("close", p.close())
}

// close gives up the file and the stage, once.
func (p *pending) close() error {
	if p.stage != nil {
		stages.Put(p.stage)
		p.stage, p.used = nil, 0
	}
	if p.f == nil {
		return nil
	}
	f := p.f
	p.f = nil
	return f.Close()
}

// publish needs p flushed. The name is durable when its directory is flushed.
func (p *pending) publish() error {
	if err := p.ready("commit"); err != nil {
		return err
	}
	if err := p.fail("rename", p.d.fsys.Rename(p.temp, p.path)); err != nil {
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
