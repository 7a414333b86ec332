package local

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

// sharedPrefix begins the reserved name of a second name not yet published.
// After it comes the time, see begun.
const sharedPrefix = tempPrefix + "shared-"

// Share links the bytes under a reserved name, which pins them at once. What is
// no plain file of this directory's own is not shared: a symbolic link would be
// a second link, and not a second name.
func (d *dir) Share(ctx context.Context, oldname, newname string) (storage.Pending, error) {
	from, err := d.begin(ctx, "share", oldname)
	if err != nil {
		return nil, err
	}
	if err := d.mayShare(from); err != nil {
		return nil, d.failed("share", from, err)
	}
	made, err := d.Create(ctx, newname)
	if err != nil {
		return nil, err
	}
	p := made.(*pending)
	if err := p.share(from); err != nil {
		return nil, discardAfter(err, p)
	}
	return p, nil
}

func (d *dir) mayShare(from string) error {
	info, err := d.fsys.Lstat(from)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return because(errors.ErrUnsupported, "is a symbolic link, whose bytes are not shared")
	case !info.Mode().IsRegular():
		return because(fs.ErrInvalid, "is %s, not a regular file", kind(info.Mode()))
	}
	return nil
}

// share makes p, which is empty, a second name of the file from. The empty file
// has made the directories, and told the time as the file system has it.
func (p *pending) share(from string) error {
	info, err := p.f.Stat()
	if err := p.fail("share", err); err != nil {
		return err
	}
	if err := p.fail("close", p.close()); err != nil {
		return err
	}
	empty := p.temp
	p.shared = true
	p.temp = filepath.Join(filepath.Dir(p.path), sharedPrefix+strconv.FormatInt(info.ModTime().Unix(), 10)+"-"+rand.Text())
	err = p.d.fsys.Unlink(empty)
	if errors.Is(err, fs.ErrNotExist) { // the answer to a first try was lost
		err = nil
	}
	if err != nil {
		p.temp = empty
		return p.fail("share", err)
	}
	return p.link(from)
}

// link links from to p's reserved name, and opens what it got: that is what
// will be flushed, whatever from is by then.
func (p *pending) link(from string) error {
	err := p.d.fsys.Link(from, p.temp)
	if errors.Is(err, fs.ErrNotExist) {
		p.err = p.d.failed("share", from, err)
		return p.err
	}
	if errors.Is(err, fs.ErrExist) { // the answer to a first try was lost: nobody else knows the name
		err = nil
	}
	if err := p.fail("share", noLinks(err)); err != nil {
		return err
	}
	p.f, err = p.d.fsys.OpenFile(p.temp, flushing|vfs.NoFollow, 0)
	if errors.Is(err, fs.ErrPermission) { // it is ours to link, and not to open: it is to be written anew
		err = because(errors.Join(errors.ErrUnsupported, err), "%v", cause(err))
	}
	if err := p.fail("share", err); err != nil {
		return err
	}
	_, err = regularSize(p.f) // it may have become another between the two looks
	return p.fail("share", err)
}

// refuse is the Write of a file whose bytes are shared.
func (p *pending) refuse() error {
	if err := p.ready("write"); err != nil {
		return err
	}
	return p.fail("write", because(fs.ErrInvalid, "its bytes are another file's, too, and are not written"))
}

// rename gives the file its name. Of two names of one file rename(2) makes none,
// and leaves both. Windows renames no file that anybody has open by any of its
// names, but links it: there a reader of the one name would keep the other from
// being published.
func (p *pending) rename() error {
	err := p.d.fsys.Rename(p.temp, p.path)
	if !p.shared {
		return err
	}
	if errors.Is(err, fs.ErrPermission) && p.d.fsys.Link(p.temp, p.path) == nil {
		err = nil
	}
	if err == nil {
		// The name is there: the other is for nobody, and goes with those of the
		// dead if it cannot go now.
		_ = p.d.fsys.Unlink(p.temp)
	}
	return err
}

// begun returns when the file e with a reserved name was last written to. One
// that is shared has the time of its bytes, which may be of long ago: its own
// is in its name.
func begun(name string, info fs.FileInfo) time.Time {
	if text, shared := strings.CutPrefix(name, sharedPrefix); shared {
		text, _, _ = strings.Cut(text, "-")
		if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
			return time.Unix(seconds, 0)
		}
	}
	return info.ModTime()
}
