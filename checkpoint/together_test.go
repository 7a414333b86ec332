package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// ofSmall are n variables of 4 KiB each, all of whose numbers are x.
func ofSmall(n int, x float32) Objects {
	all := Objects{}
	for i := range n {
		values := make([]float32, 1024)
		for j := range values {
			values[j] = x
		}
		all[fmt.Sprintf("v%04d", i)] = trackable.NewVariable("", tensor.Shape{1024}, values)
	}
	return all
}

// have returns how many of the variables are wholly x, and how many wholly y.
func have(all Objects, x, y float32) (xs, ys int) {
	for _, o := range all {
		v := o.(*variableF).Value
		other := func(e float32) bool { return e != v[0] }
		switch whole := !slices.ContainsFunc(v, other); {
		case whole && v[0] == x:
			xs++
		case whole && v[0] == y:
			ys++
		}
	}
	return xs, ys
}

var waysToRestore = map[string]*Options{"staged": nil, "in two passes": {StageLimit: -1}, "in place": {InPlace: true}}

// smallSaved saves variables of 1 to a directory of the disk.
func smallSaved(t *testing.T, n int) (root string) {
	t.Helper()
	root = t.TempDir()
	if _, err := New(nil, ofSmall(n, 1), nil).Save(background(), local.Dir(root), "ckpt"); err != nil {
		t.Fatal(err)
	}
	return root
}

// cold is a disk that has nothing in its cache.
type cold struct{ vfs.FS }

func (c cold) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := c.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return coldFile{f}, nil
}

type coldFile struct{ vfs.File }

func (coldFile) InCache(int64, int64) (int64, error) { return 0, nil }

// TestSmallTensorsThatAreNotCachedAreReadInFewReadings.
func TestSmallTensorsThatAreNotCachedAreReadInFewReadings(t *testing.T) {
	const n = 1000 // 4 MB
	root := smallSaved(t, n)
	for name, o := range waysToRestore {
		reads := make(chan string, 100_000)
		fsys := vfstest.Hook(cold{vfs.OS()}, func(op vfstest.Op) error {
			if op.Verb == "read" && strings.Contains(op.Path, ".data-") {
				reads <- op.Path
			}
			return nil
		})
		all := ofSmall(n, 2)
		if _, err := New(nil, all, o).Restore(background(), local.DirOn(fsys, root), "ckpt-1"); err != nil {
			t.Fatal(err)
		}
		if got, _ := have(all, 1, 2); got != n {
			t.Errorf("%s: %d of %d were restored", name, got, n)
		}
		if len(reads) > 20 {
			t.Errorf("%s: %d readings of the data file for %d tensors, want 20 at most", name, len(reads), n)
		}
	}
}

// TestEachReadingOfARestoreMayFail, by an error or because the file has become
// shorter: then an error tells, and nothing has changed but what a restore in
// place says.
func TestEachReadingOfARestoreMayFail(t *testing.T) {
	const n = 530 // 2 MiB, which are read past the cache, and a little
	root := smallSaved(t, n)
	for name, o := range waysToRestore {
		for _, truncates := range []bool{false, true} {
			for i, through := 0, false; !through; i++ {
				if truncates {
					root = smallSaved(t, n)
				}
				through = !readingFails(t, root, name, o, n, i, truncates)
			}
		}
	}
}

// readingFails has reading i of the data file fail, and reports whether there was
// such a one.
func readingFails(t *testing.T, root, name string, o *Options, n, i int, truncates bool) (hit bool) {
	t.Helper()
	file := filepath.Join(root, "ckpt-1.data-00000-of-00001")
	turn := make(chan int, 1)
	turn <- 0
	fsys := vfstest.Hook(cold{vfs.OS()}, func(op vfstest.Op) error {
		if op.Verb != "read" || op.Path != file {
			return nil
		}
		at := <-turn
		defer func() { turn <- at + 1 }()
		if at != i {
			return nil
		}
		hit = true
		if truncates {
			return os.Truncate(file, 1<<20+77)
		}
		return syscall.EIO
	})
	all := ofSmall(n, 2)
	_, err := New(nil, all, o).Restore(background(), local.DirOn(fsys, root), "ckpt-1")
	restored, kept := have(all, 1, 2)
	var over *trackable.OverwrittenError
	switch {
	case err == nil && restored != n:
		t.Errorf("%s, reading %d: Restore = nil, and %d of %d are restored", name, i, restored, n)
	case err != nil && !errors.As(err, &over) && kept != n:
		t.Errorf("%s, reading %d: Restore = %v, and only %d of %d are what they were", name, i, err, kept, n)
	case err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, format.ErrCorrupt):
		t.Errorf("%s, reading %d: Restore = %v, want EIO or ErrCorrupt", name, i, err)
	case err != nil && !strings.Contains(err.Error(), "ckpt-1"):
		t.Errorf("%s, reading %d: Restore = %v, want the checkpoint named", name, i, err)
	}
	if over != nil && len(over.Tensors) < n-kept {
		t.Errorf("%s, reading %d: %d have changed, and %d are named", name, i, n-kept, len(over.Tensors))
	}
	return hit
}
