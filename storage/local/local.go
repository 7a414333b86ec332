// Package local keeps files in a directory of a disk, and keeps the promises
// of package storage through a loss of power.
//
// A file is written under a reserved name in its own directory, flushed, given
// its name by a rename, and then the directory is flushed. Directories are made
// as they are needed, and flushed into their parents. Modes are 0666 and 0777
// less the umask.
//
// Names that begin with ".ckpt.tmp-" (files not committed) and ".ckpt.lock-"
// are the package's own: List does not show them and nothing else opens them.
// What processes that died have left of the former is removed when nothing was
// written to it for an hour: by Lock where the lock is, and in a directory below
// by the first Create of a Dir there.
//
// Symbolic links are followed for reading, as TensorFlow does: caches and build
// systems are made of them. Nothing is written or removed through one: a commit
// or removal concerns the link and not what it points to, and is refused when a
// directory below the Dir's own is a link. List does not descend into linked
// directories, and passes over what is no regular file, but for links that lead
// nowhere: those are listed without a byte, since what they lead to may only not
// be mounted, and opening one is an error.
package local

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
)

const (
	tempPrefix = ".ckpt.tmp-"
	lockPrefix = ".ckpt.lock-"
)

// Dir returns the directory path of the disk, which need not exist: writing
// makes it, with its parents; reading says that it is missing.
func Dir(path string) storage.Dir { return DirOn(vfs.OS(), path) }

// DirOn returns the directory path of fsys, for tests that put something
// between this package and the disk.
func DirOn(fsys vfs.FS, path string) storage.Dir { return &dir{fsys: fsys, root: path} }

// dir is a storage.Batcher, Linker, Sharer, Locker, Appender and Excluder too.
type dir struct {
	fsys vfs.FS
	root string
	// making serialises makeDirs: a Create that finds a directory which another
	// has just made must not commit into it before it is flushed.
	making  sync.Mutex
	durable map[string]bool // directories that were flushed, by making
	looked  sync.Map        // directories where removeStaleBelow was
	refuses atomic.Bool     // the file system refuses writes past its cache
	// cachedReads is set where the system does not tell what is in its cache.
	cachedReads atomic.Bool
}

// String returns the path, for errors and logs.
func (d *dir) String() string { return d.root }

// begin checks what every operation checks first, and returns name's path.
func (d *dir) begin(ctx context.Context, op, name string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	path, err := d.path(op, name)
	if err == nil && op != "open" {
		err = d.straight(op, name, path)
	}
	return path, err
}

// straight refuses to change anything by way of a link to a directory: where
// that leads to is outside, and whoever gave us the directory may have made it.
// The directory itself may be reached through links, which its owner chose.
func (d *dir) straight(op, name, path string) error {
	for range strings.Count(name, "/") {
		path = filepath.Dir(path)
		info, err := d.fsys.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
			continue // it is no link, and what it is the operation will find
		case err == nil && info.Mode()&fs.ModeSymlink != 0:
			err = because(fs.ErrInvalid, "%s is a symbolic link, through which nothing is written or removed", path)
		}
		if err != nil {
			return d.failed(op, filepath.Join(d.root, filepath.FromSlash(name)), err)
		}
	}
	return nil
}

func (d *dir) path(op, name string) (string, error) {
	if err := storage.CheckName(op, name); err != nil {
		return "", err
	}
	if d.root == "" {
		return "", pathError(op, name, because(fs.ErrInvalid, "directory path is empty"))
	}
	for element := range strings.SplitSeq(name, "/") {
		if reserved(element) {
			return "", pathError(op, name, because(fs.ErrInvalid, "names that begin with %s or %s are reserved", tempPrefix, lockPrefix))
		}
	}
	local, err := filepath.Localize(name)
	if err != nil {
		return "", pathError(op, name, because(fs.ErrInvalid, "not a file name on this system"))
	}
	return filepath.Join(d.root, local), nil
}

func reserved(element string) bool {
	return strings.HasPrefix(element, tempPrefix) || strings.HasPrefix(element, lockPrefix)
}

// Remove does not flush: a removal that comes undone harms nobody who does not
// rely on its order, and who does uses RemoveAll.
func (d *dir) Remove(ctx context.Context, name string) error {
	path, err := d.begin(ctx, "remove", name)
	if err != nil {
		return err
	}
	if err := d.fsys.Unlink(path); err != nil {
		return d.failed("remove", path, err)
	}
	return nil
}

// Link leaves what is no plain file, and file systems without hard links, to
// the copying of storage.Link.
func (d *dir) Link(ctx context.Context, oldname, newname string) error {
	from, err := d.begin(ctx, "link", oldname)
	if err != nil {
		return err
	}
	to, err := d.begin(ctx, "link", newname)
	if err != nil {
		return err
	}
	if info, err := d.fsys.Lstat(from); err != nil {
		return d.failed("link", from, err)
	} else if !info.Mode().IsRegular() {
		return pathError("link", from, because(errors.ErrUnsupported, "is %s", kind(info.Mode())))
	}
	err = d.inDir(filepath.Dir(to), func() error { return d.fsys.Link(from, to) })
	if err != nil {
		return d.failed("link", to, noLinks(err))
	}
	return d.flushDirOf(to)
}

// inDir does what needs the directory path, which is made if do misses it.
func (d *dir) inDir(path string, do func() error) error {
	path = filepath.Clean(path)
	if err := d.makeDirs(path, false); err != nil {
		return err
	}
	err := do()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.makeDirs(path, true); err != nil { // removed meanwhile
		return err
	}
	return do()
}

// makeDirs makes the directory path durable, with the parents it lacks, unless
// that was done before and again is false.
//
// One that is there may have been made in this moment by a process that was
// killed before it could flush its name: then it is lost at a power cut, with
// all that we put into it. So that is flushed, too, before anything is made in
// it. And since everybody does so, what lies above is durable where there is
// anything in it.
func (d *dir) makeDirs(path string, again bool) error {
	d.making.Lock()
	defer d.making.Unlock()
	if again {
		clear(d.durable)
	}
	return d.makeDir(path)
}

func (d *dir) makeDir(path string) error {
	parent := filepath.Dir(path)
	if parent == path || d.durable[path] {
		return nil
	}
	_, err := d.fsys.Stat(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if missing {
		err = d.makeMissing(path)
	}
	if err != nil {
		return err
	}
	err = d.fsys.SyncDir(parent)
	if errors.Is(err, fs.ErrPermission) && !missing { // there no process like this one has made it
		err = nil
	}
	if err != nil {
		err = because(err, "directory %s cannot be flushed: %v", parent, cause(err))
		if missing {
			err = errors.Join(err, d.unmake(path))
		}
		return err
	}
	if d.durable == nil {
		d.durable = make(map[string]bool)
	}
	d.durable[path] = true
	return nil
}

func (d *dir) makeMissing(path string) error {
	if err := d.makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	err := d.fsys.Mkdir(path, 0o777)
	if err != nil && !errors.Is(err, fs.ErrExist) { // made meanwhile
		return because(err, "directory %s cannot be made: %v", path, cause(err))
	}
	return nil
}

// unmake removes the directory path, unless someone has put it to use.
func (d *dir) unmake(path string) error {
	err := d.fsys.Rmdir(path)
	if errors.Is(err, fs.ErrExist) { // ENOTEMPTY
		return nil
	}
	return err
}

// flushDirOf makes the name path durable.
func (d *dir) flushDirOf(path string) error {
	if err := d.fsys.SyncDir(filepath.Dir(path)); err != nil {
		return pathError("flush directory of", path, advised(cause(err)))
	}
	return nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}
