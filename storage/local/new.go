package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// WriteNew links the written file to its name instead of renaming it: link(2)
// refuses a name that is there, on NFS too, where O_EXCL long did not.
func (d *dir) WriteNew(ctx context.Context, name string, data []byte) error {
	made, err := d.Create(ctx, name)
	if err != nil {
		return err
	}
	p := made.(*pending)
	_, err = p.Write(data)
	if err == nil {
		err = p.flush()
	}
	if err == nil {
		err = p.publishNew()
	}
	if err != nil {
		return discardAfter(err, p)
	}
	return d.flushDirOf(p.path)
}

// publishNew is publish for a name that must not be there.
func (p *pending) publishNew() error {
	err := p.d.fsys.Link(p.temp, p.path)
	if errors.Is(err, fs.ErrExist) && p.linked() {
		err = nil
	}
	if err != nil {
		return p.fail("create", noLinks(err))
	}
	// The name is taken: what the temporary name still does is for nobody, and
	// goes with those of the dead if it cannot go now.
	_ = p.Discard()
	return nil
}

// linked reports whether the name is p's after all: an NFS server whose answer
// was lost is asked again, and then says that there is such a file.
func (p *pending) linked() bool {
	temp, err := p.d.fsys.Lstat(p.temp)
	if err != nil {
		return false
	}
	named, err := p.d.fsys.Lstat(p.path)
	return err == nil && os.SameFile(temp, named)
}
