package vfstest_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// everything does one of each operation and returns their errors.
func everything(fsys vfs.FS, root string) (errs []error) {
	in := func(name string) string { return filepath.Join(root, name) }
	try := func(err error) { errs = append(errs, err) }
	f, err := fsys.OpenFile(in("a"), os.O_RDWR|os.O_CREATE, 0o666)
	try(err)
	if err != nil {
		return errs
	}
	try(f.TryLock())
	try(f.Preallocate(10))
	_, err = f.WriteAt([]byte("content"), 0)
	try(err)
	try(f.Truncate(3))
	try(f.Sync())
	_, err = f.ReadAt(make([]byte, 3), 0)
	try(err)
	_, err = f.Stat()
	try(err)
	try(f.Close())
	try(fsys.Mkdir(in("d"), 0o777))
	try(fsys.Link(in("a"), in("d/b")))
	try(fsys.Rename(in("a"), in("c")))
	try(fsys.SyncDir(in("d")))
	_, err = fsys.ReadDir(in("d"))
	try(err)
	_, err = fsys.Stat(in("c"))
	try(err)
	_, err = fsys.Lstat(in("c"))
	try(err)
	try(fsys.Unlink(in("d/b")))
	try(fsys.Rmdir(in("d")))
	return errs
}

const everyLine = `create a
trylock a
preallocate a (10 bytes)
write a (7 bytes)
truncate a (3 bytes)
sync a
read a (3 bytes)
fstat a
close a
mkdir d
link a -> d/b
rename a -> c
syncdir d
readdir d
stat c
lstat c
unlink d/b
rmdir d
`

func TestRecorderTellsEveryOperation(t *testing.T) {
	root := t.TempDir()
	fsys, recorder := vfstest.Record(vfs.OS())
	if err := errors.Join(everything(fsys, root)...); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, op := range recorder.Take() {
		got.WriteString(strings.ReplaceAll(op.String(), root+"/", "") + "\n")
	}
	if got.String() != everyLine {
		t.Errorf("recorded:\n%swant:\n%s", got.String(), everyLine)
	}
	if left := recorder.Take(); len(left) != 0 {
		t.Errorf("a second Take has %v", left)
	}
}

func TestFailAtFailsTheOperationAlone(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(everyLine), "\n")
	for i, line := range lines {
		root := t.TempDir()
		fsys, hit := vfstest.FailAt(vfs.OS(), i, syscall.EIO)
		errs := everything(fsys, root)
		if !errors.Is(errs[i], syscall.EIO) {
			t.Errorf("error of %q is %v, want %v", line, errs[i], syscall.EIO)
		}
		var pe *fs.PathError
		var le *os.LinkError
		if !errors.As(errs[i], &pe) && !errors.As(errs[i], &le) {
			t.Errorf("error of %q is %v, want one with a name", line, errs[i])
		}
		op, ok := hit()
		if got := strings.ReplaceAll(op.String(), root+"/", ""); !ok || got != line {
			t.Errorf("hit() = %q, %t, want %q", got, ok, line)
		}
	}
	if _, hit := vfstest.FailAt(vfs.OS(), 0, syscall.EIO); hitOf(hit) {
		t.Error("hit() = true before any operation")
	}
}

func hitOf(hit func() (vfstest.Op, bool)) bool {
	_, ok := hit()
	return ok
}

func TestFailedWriteLeavesHalf(t *testing.T) {
	root := t.TempDir()
	fsys, _ := vfstest.FailAt(vfs.OS(), 1, syscall.ENOSPC)
	f, err := fsys.OpenFile(filepath.Join(root, "a"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.WriteAt([]byte("12345678"), 0)
	if n != 4 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteAt = %d, %v, want 4, %v", n, err, syscall.ENOSPC)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestDoneDoesWhatItFails: the last of everything is done each time, so that
// what failed before it must have been.
func TestDoneDoesWhatItFails(t *testing.T) {
	root := t.TempDir()
	fsys, _ := vfstest.FailAt(vfs.OS(), 0, vfstest.Done(syscall.EIO))
	if errs := everything(fsys, root); len(errs) != 1 || !errors.Is(errs[0], syscall.EIO) {
		t.Errorf("errors are %v, want %v of the first", errs, syscall.EIO)
	}
	if _, err := os.Stat(filepath.Join(root, "a")); err != nil {
		t.Errorf("the file that was to be created: %v", err)
	}
	for i := 1; i < strings.Count(everyLine, "\n"); i++ {
		fsys, _ := vfstest.FailAt(vfs.OS(), i, vfstest.Done(syscall.EIO))
		for j, err := range everything(fsys, t.TempDir()) {
			if (i == j) != errors.Is(err, syscall.EIO) || i != j && err != nil {
				t.Errorf("error of operation %d is %v with the fault in %d", j, err, i)
			}
		}
	}
}
