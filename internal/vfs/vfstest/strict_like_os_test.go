//go:build linux

package vfstest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// twin does everything to a Strict and to a directory of the disk, which are
// to answer alike.
type twin struct {
	*rapid.T
	roots [2]string
	fs    [2]vfs.FS
	open  [][2]vfs.File
}

// both runs an operation on both and compares what it returns.
func (w *twin) both(what string, do func(side int) (any, error)) error {
	w.Helper()
	var got [2]any
	var errs [2]error
	for side := range 2 {
		got[side], errs[side] = do(side)
	}
	if !alike(errs[0], errs[1]) {
		w.Fatalf("%s: Strict says %v, the disk %v", what, errs[0], errs[1])
	}
	if a, b := fmt.Sprintf("%q", got[0]), fmt.Sprintf("%q", got[1]); a != b {
		w.Fatalf("%s: Strict has %s, the disk %s", what, a, b)
	}
	return errs[0]
}

// alike compares errors by the system's numbers, where they have one.
func alike(a, b error) bool {
	var x, y syscall.Errno
	if errors.As(a, &x) != errors.As(b, &y) || x != y {
		return false
	}
	return (a == nil) == (b == nil) && errors.Is(a, fs.ErrClosed) == errors.Is(b, fs.ErrClosed) &&
		errors.Is(a, vfs.ErrLocked) == errors.Is(b, vfs.ErrLocked)
}

func (w *twin) path(side int, name string) string { return filepath.Join(w.roots[side], name) }

var twinNames = []string{"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "a/x"}

func (w *twin) name(label string) string { return rapid.SampledFrom(twinNames).Draw(w.T, label) }

func (w *twin) openFile() {
	flag := rapid.SampledFrom([]int{os.O_RDONLY, os.O_RDWR, os.O_WRONLY}).Draw(w.T, "flag")
	flag |= rapid.SampledFrom([]int{0, os.O_CREATE, os.O_CREATE, os.O_CREATE | os.O_EXCL}).Draw(w.T, "create")
	name := w.name("name")
	var files [2]vfs.File
	err := w.both(fmt.Sprintf("open %s %#x", name, flag), func(side int) (_ any, err error) {
		files[side], err = w.fs[side].OpenFile(w.path(side, name), flag, 0o666)
		return nil, err
	})
	if err == nil {
		w.open = append(w.open, files)
	}
}

// names does something that changes names.
func (w *twin) names() {
	a, b := w.name("old"), w.name("new")
	op := rapid.SampledFrom([]string{"rename", "rename", "link", "unlink", "mkdir", "mkdir", "rmdir", "syncdir"}).Draw(w.T, "op")
	_ = w.both(op+" "+a+" "+b, func(side int) (any, error) {
		f, a, b := w.fs[side], w.path(side, a), w.path(side, b)
		switch op {
		case "rename":
			return nil, f.Rename(a, b)
		case "link":
			return nil, f.Link(a, b)
		case "unlink":
			return nil, f.Unlink(a)
		case "mkdir":
			return nil, f.Mkdir(a, 0o777)
		case "rmdir":
			return nil, f.Rmdir(a)
		}
		return nil, f.SyncDir(a)
	})
}

// file does something with an open file.
func (w *twin) file() {
	if len(w.open) == 0 {
		return
	}
	k := rapid.IntRange(0, len(w.open)-1).Draw(w.T, "file")
	files := w.open[k]
	op := rapid.SampledFrom([]string{"write", "write", "read", "truncate", "preallocate", "sync", "stat", "lock", "close"}).Draw(w.T, "op")
	at := rapid.Int64Range(0, 3*block).Draw(w.T, "at")
	n := rapid.SampledFrom([]int{0, 1, 100, 511, block, 2*block + 7}).Draw(w.T, "n")
	fill := rapid.Byte().Draw(w.T, "fill")
	_ = w.both(fmt.Sprintf("%s at %d of %d", op, at, n), func(side int) (any, error) {
		f := files[side]
		switch op {
		case "write":
			return f.WriteAt(bytes.Repeat([]byte{fill}, n), at)
		case "read":
			p := make([]byte, n)
			n, err := f.ReadAt(p, at)
			return p[:n], err
		case "truncate":
			return nil, f.Truncate(at)
		case "preallocate":
			return nil, f.Preallocate(at)
		case "sync":
			return nil, f.Sync()
		case "stat":
			info, err := f.Stat()
			return sizeOf(info), err
		case "lock":
			return nil, f.TryLock()
		}
		return nil, f.Close()
	})
	if op == "close" {
		w.open = slices.Delete(w.open, k, k+1)
	}
}

func sizeOf(info fs.FileInfo) any {
	switch {
	case info == nil:
		return nil
	case info.IsDir():
		return "directory"
	}
	return info.Size()
}

// compare looks at everything.
func (w *twin) compare() {
	for _, name := range twinNames {
		_ = w.both("stat "+name, func(side int) (any, error) {
			info, err := w.fs[side].Stat(w.path(side, name))
			return sizeOf(info), err
		})
		_ = w.both("read "+name, func(side int) (any, error) {
			f, err := w.fs[side].OpenFile(w.path(side, name), os.O_RDONLY, 0)
			if err != nil {
				return nil, err
			}
			p := make([]byte, 6*block)
			n, err := f.ReadAt(p, 0)
			return p[:n], errors.Join(err, f.Close())
		})
		_ = w.both("readdir "+name, func(side int) (any, error) {
			entries, err := w.fs[side].ReadDir(w.path(side, name))
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			return names, err
		})
	}
}

// afterACrash compares what a power cut leaves that loses nothing.
func (w *twin) afterACrash(s *vfstest.Strict) {
	w.fs[0] = s.Crash(vfstest.KeepAll())
	w.compare()
}

func TestStrictIsSeenAsTheDiskIs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		root, err := os.MkdirTemp(t.TempDir(), "twin")
		if err != nil {
			r.Fatal(err)
		}
		s := vfstest.NewStrict(nil)
		w := &twin{T: r, fs: [2]vfs.FS{s, vfs.OS()}, roots: [2]string{"/", root}}
		defer func() {
			for _, files := range w.open {
				for _, f := range files {
					if err := f.Close(); err != nil {
						r.Error(err)
					}
				}
			}
		}()
		for range rapid.IntRange(1, 60).Draw(r, "operations") {
			switch rapid.IntRange(0, 3).Draw(r, "what") {
			case 0:
				w.openFile()
			case 1:
				w.names()
			default:
				w.file()
			}
		}
		w.compare()
		w.afterACrash(s)
	})
}
