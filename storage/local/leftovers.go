package local

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/ckpt-dev/ckpt/storage"
)

// Leftovers returns the files not committed of the whole tree. Those beside a
// lock, Lock removes when nothing was written to them for an hour.
func (d *dir) Leftovers(ctx context.Context) ([]storage.Info, error) {
	l := &leftovers{d: d, ctx: ctx}
	err := l.walk("")
	return l.found, err
}

type leftovers struct {
	d     *dir
	ctx   context.Context
	found []storage.Info
}

// walk looks into the directory in: "" or a name that ends with a slash.
func (l *leftovers) walk(in string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	at := filepath.Join(l.d.root, filepath.FromSlash(in))
	entries, err := l.d.fsys.ReadDir(at)
	if err != nil {
		if in != "" && passOver(strings.TrimSuffix(in, "/"), err) {
			return nil
		}
		return l.d.failed("list", at, err)
	}
	for _, e := range sorted(entries) {
		if err := l.entry(in, e); err != nil {
			return err
		}
	}
	return nil
}

func (l *leftovers) entry(in string, e fs.DirEntry) error {
	switch name := in + e.Name(); {
	case e.IsDir() && !reserved(e.Name()) && storage.CheckName("list", name) == nil:
		return l.walk(name + "/")
	case !strings.HasPrefix(e.Name(), tempPrefix) || !e.Type().IsRegular():
		return nil
	}
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) { // committed or removed meanwhile
		return nil
	}
	if err != nil {
		return l.d.failed("list", filepath.Join(l.d.root, filepath.FromSlash(in), e.Name()), err)
	}
	l.found = append(l.found, storage.Info{Name: in + e.Name(), Size: info.Size(), ModTime: begun(e.Name(), info), ID: fileID(info)})
	return nil
}
