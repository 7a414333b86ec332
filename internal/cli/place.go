package cli

import (
	"os"
	"path/filepath"
	"strings"

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
	case base == "" || isDir(arg) && !isFile(arg+".index"):
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

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
