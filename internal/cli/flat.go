package cli

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ckpt-dev/ckpt/storage"
)

// flatDir is a directory on disk that lists its files without those of the
// directories in it. A user may name any directory, a home or the root of a
// disk, and only the checkpoints that lie in it itself are asked for.
type flatDir struct {
	storage.Dir
	root string
}

// variables is where a SavedModel has its checkpoint.
const variables = "variables"

// List yields the files that begin with prefix and have no slash after it, and
// those of a SavedModel's variables.
func (d flatDir) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		in, _ := path.Split(prefix)
		if d.list(ctx, in, prefix, yield) && prefix == "" && isDir(filepath.Join(d.root, variables)) {
			d.list(ctx, variables+"/", "", yield)
		}
	}
}

// list yields the files of the directory in; false ends the listing.
func (d flatDir) list(ctx context.Context, in, prefix string, yield func(storage.Info, error) bool) bool {
	entries, err := os.ReadDir(filepath.Join(d.root, filepath.FromSlash(in)))
	if err != nil {
		yield(storage.Info{}, err)
		return false
	}
	for _, e := range entries {
		name := in + e.Name()
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := ctx.Err(); err != nil {
			yield(storage.Info{}, err)
			return false
		}
		if e.IsDir() {
			continue
		}
		if !d.file(name, e, yield) {
			return false
		}
	}
	return true
}

// file yields one file; what is no file, or no longer there, it passes over.
func (d flatDir) file(name string, e fs.DirEntry, yield func(storage.Info, error) bool) bool {
	info, err := e.Info()
	if err == nil && e.Type()&fs.ModeSymlink != 0 {
		info, err = os.Stat(filepath.Join(d.root, filepath.FromSlash(name)))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true
	case err != nil:
		yield(storage.Info{}, err)
		return false
	case !info.Mode().IsRegular():
		return true
	}
	return yield(storage.Info{Name: name, Size: info.Size(), ModTime: info.ModTime()}, nil)
}
