package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// place is where a PATH argument points: a directory or a checkpoint in one.
type place struct {
	arg  string // as the user wrote it
	root string // path of the directory
	dir  storage.Dir
	path string // of the checkpoint in dir; "": the directory itself
}

// locate finds out what arg names. It does not say whether that exists: who
// opens it will.
func locate(arg string) (place, error) {
	if arg == "" {
		return place{}, &usageError{"the path is empty", "run 'ckpt help paths'"}
	}
	root, base := filepath.Split(arg)
	root = filepath.Clean(root)
	switch {
	case base == "" || base == ".." || isDir(arg) && !isFile(arg+".index"):
		return directory(arg, arg), nil
	case base == "checkpoint" && isFile(arg):
		return directory(arg, root), nil
	}
	return place{arg: arg, root: root, dir: flatDir{local.Dir(root), root}, path: base}, nil
}

func directory(arg, root string) place {
	root = filepath.Clean(root)
	return place{arg: arg, root: root, dir: flatDir{local.Dir(root), root}}
}

// name returns how a user would write the checkpoint path of p's directory.
func (p place) name(path string) string {
	if p.root == "." && !strings.HasPrefix(p.arg, ".") {
		return path
	}
	return filepath.Join(p.root, filepath.FromSlash(path))
}

// denied says that p's directory may not be searched: then the error about
// any file in it, of which ckpt may be the only one to know, is beside the point.
func (p place) denied() error {
	file := new(fs.PathError)
	_, err := os.Stat(p.root + string(filepath.Separator) + ".")
	if errors.Is(err, fs.ErrPermission) && errors.As(err, &file) {
		return &fs.PathError{Op: "open", Path: p.root, Err: file.Err}
	}
	return nil
}

// inside writes the directory before an error that begins with a file in it.
func (p place) inside(file string, err error) error {
	return fmt.Errorf("%s%w", strings.TrimSuffix(p.name(file), file), err)
}

// stateError says what is wrong with the state file of p's directory. One that
// cannot be read is an error to whoever lists the directory.
func (p place) stateError(ctx context.Context) error {
	err := checkpoint.VerifyState(ctx, p.dir)
	if file := new(fs.PathError); err == nil || errors.As(err, &file) || ctx.Err() != nil {
		return nil
	}
	return p.inside("checkpoint", err)
}

// noteState tells what is wrong with the state file to who does not ask for it.
func (a *app) noteState(ctx context.Context, p place) {
	if err := p.stateError(ctx); err != nil {
		a.note(fmt.Sprintf("%v; the newest file counts as the latest checkpoint", err))
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
