package local

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/ckpt-dev/ckpt/storage"
)

func (d *dir) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		l := &lister{d, ctx, prefix, yield}
		if d.root == "" {
			yield(storage.Info{}, pathError("list", ".", because(fs.ErrInvalid, "directory path is empty")))
			return
		}
		if l.walkFrom(l.deepest()) {
			l.alive()
		}
	}
}

// lister walks the tree in the order of whole names. Its methods return
// whether to go on.
type lister struct {
	d      *dir
	ctx    context.Context
	prefix string
	yield  func(storage.Info, error) bool
}

func (l *lister) stop(err error) bool {
	l.yield(storage.Info{}, err)
	return false
}

func (l *lister) alive() bool {
	if err := l.ctx.Err(); err != nil {
		return l.stop(err)
	}
	return true
}

// deepest returns the directory that the prefix reaches into, "" or a name that
// ends with a slash, if walking from the top would come there.
func (l *lister) deepest() string {
	in := l.prefix[:strings.LastIndexByte(l.prefix, '/')+1]
	name := strings.TrimSuffix(in, "/")
	if name == "" || storage.CheckName("list", name) != nil {
		return ""
	}
	for at := name; at != "."; at = path.Dir(at) {
		info, err := l.d.fsys.Lstat(filepath.Join(l.d.root, filepath.FromSlash(at)))
		if reserved(path.Base(at)) || err == nil && !info.IsDir() || err != nil && !errors.Is(err, fs.ErrNotExist) {
			return ""
		}
	}
	return in
}

// walkFrom spares a listing of a few files the look at all that lies beside
// the directory they are in. That the very root is missing is an error, and
// that in is, none.
func (l *lister) walkFrom(in string) bool {
	if in != "" {
		if _, err := l.d.fsys.Stat(l.d.root); err != nil {
			in = ""
		}
	}
	return l.walk(in)
}

// walk lists the directory in: "" or a name that ends with a slash.
func (l *lister) walk(in string) bool {
	if !l.alive() {
		return false
	}
	at := filepath.Join(l.d.root, filepath.FromSlash(in))
	entries, err := l.d.fsys.ReadDir(at)
	if err != nil {
		if in != "" && passOver(in, err) {
			return true
		}
		return l.stop(l.d.failed("list", at, err))
	}
	for _, e := range sorted(entries) {
		if !l.entry(in, e) {
			return false
		}
	}
	return true
}

// passOver tells a directory that vanished meanwhile, one that is too deep for
// anybody to name a file in it, and the one that a file system keeps in its
// root for root alone.
func passOver(in string, err error) bool {
	return errors.Is(err, fs.ErrNotExist) || leadsNowhere(err) ||
		path.Base(in) == "lost+found" && errors.Is(err, fs.ErrPermission)
}

// sorted sorts directories as their names with a slash, so that walking gives
// whole names in order. A name twice (a directory read during a rename) is left
// out once.
func sorted(entries []fs.DirEntry) []fs.DirEntry {
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(key(a), key(b)) })
	return slices.CompactFunc(entries, func(a, b fs.DirEntry) bool { return key(a) == key(b) })
}

func (l *lister) entry(in string, e fs.DirEntry) bool {
	name := in + e.Name()
	switch {
	case reserved(e.Name()) || storage.CheckName("list", name) != nil:
		return true
	case e.IsDir():
		below := name + "/"
		if strings.HasPrefix(below, l.prefix) || strings.HasPrefix(l.prefix, below) {
			return l.walk(below)
		}
		return true
	case !strings.HasPrefix(name, l.prefix):
		return true
	}
	return l.file(name, e)
}

// file yields one file. Its size is read after its name, so that it may be that
// of a newer file of the same name, but never one of nothing committed.
//
// A link to nothing is there, as one that has no bytes: that a store is not
// mounted is no reason to take what it holds for removed. Who opens it is told.
func (l *lister) file(name string, e fs.DirEntry) bool {
	info, err := e.Info()
	if link := info; err == nil && e.Type()&fs.ModeSymlink != 0 {
		info, err = l.d.fsys.Stat(filepath.Join(l.d.root, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) || leadsNowhere(err) {
			return l.alive() && l.yield(storage.Info{Name: name, ModTime: link.ModTime()}, nil)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), leadsNowhere(err): // removed meanwhile
		return true
	case err != nil:
		return l.stop(l.d.failed("list", filepath.Join(l.d.root, filepath.FromSlash(name)), err))
	case !info.Mode().IsRegular():
		return true
	case !l.alive():
		return false
	}
	return l.yield(storage.Info{Name: name, Size: info.Size(), ModTime: info.ModTime(), ID: fileID(info)}, nil)
}

// leadsNowhere tells links that no file can be found by: one that leads to
// itself, one through a file as if it were a directory, one that is too long.
func leadsNowhere(err error) bool {
	return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}
