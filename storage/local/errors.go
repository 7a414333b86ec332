package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// because returns an error that says more than err, and still is err.
func because(err error, format string, args ...any) error {
	return &reason{fmt.Sprintf(format, args...), err}
}

type reason struct {
	text string
	err  error
}

func (r *reason) Error() string { return r.text }
func (r *reason) Unwrap() error { return r.err }

// cause returns what the operating system said, without the name that it said
// it about: that may be a reserved one, which means nothing to the caller.
func cause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}

// failed dresses the error of an operation on path, and says what is in the
// way where that can be found out. It is called when something has gone wrong,
// so that it may look around.
func (d *dir) failed(op, path string, err error) error {
	err = cause(err)
	var said *reason
	switch {
	case errors.As(err, &said):
	case errors.Is(err, fs.ErrNotExist):
		err = d.whatIsMissing(path, err)
	case errors.Is(err, syscall.ENOTDIR):
		err = d.whatIsNoDirectory(path, err)
	case op == "rename":
		err = d.whatIsThere(path, err)
	case errors.Is(err, fs.ErrPermission) && slices.Contains(changesDir, op):
		err = because(err, "directory %s may not be written to: %v", filepath.Dir(path), err)
	case errors.Is(err, fs.ErrPermission) && op == "lock":
		err = because(err, "this file, which its writers share, and its directory must be writable: %v", err)
	}
	return pathError(op, path, advised(err))
}

// changesDir are the operations that need the right to write to a directory.
var changesDir = []string{"append", "create", "link", "remove", "share"}

func (d *dir) whatIsMissing(path string, err error) error {
	for _, p := range []string{d.root, path} {
		if _, missing := d.fsys.Stat(p); !errors.Is(missing, fs.ErrNotExist) {
			continue
		}
		if _, dangling := d.fsys.Lstat(p); dangling == nil {
			return because(err, "%sis a symbolic link to nothing", subject(p, path))
		}
		if p == d.root {
			return because(err, "directory %sdoes not exist", subject(p, path))
		}
	}
	return err
}

func (d *dir) whatIsNoDirectory(path string, err error) error {
	for p := path; p != filepath.Dir(p); p = filepath.Dir(p) {
		if info, found := d.fsys.Stat(p); found == nil {
			if !info.IsDir() {
				return because(err, "%sis %s, not a directory", subject(p, path), kind(info.Mode()))
			}
			break
		}
	}
	return err
}

// whatIsThere explains a rename that the system refused.
func (d *dir) whatIsThere(path string, err error) error {
	if info, found := d.fsys.Lstat(path); found == nil && info.IsDir() {
		return because(err, "is a directory, not a regular file")
	}
	return err
}

// subject returns p for a sentence about path, which need not say it twice.
func subject(p, path string) string {
	if p == path {
		return ""
	}
	return p + " "
}

// noLinks marks the errors of file systems without hard links, and of links
// the system will not make, as a wish to copy.
func noLinks(err error) error {
	for _, no := range linkless {
		if errors.Is(err, no) {
			return because(errors.ErrUnsupported, "%v", cause(err))
		}
	}
	return err
}
