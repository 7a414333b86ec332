package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

func create(t *testing.T, name string) vfs.File {
	t.Helper()
	f, err := vfs.OS().OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func wantSize(t *testing.T, f vfs.File, want int64) {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != want {
		t.Errorf("size is %d, want %d", info.Size(), want)
	}
}

func TestFileIsWrittenFlushedAndRead(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "a"))
	if _, err := f.WriteAt([]byte("content"), 3); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 10)
	if _, err := f.ReadAt(got, 0); err != nil || string(got) != "\x00\x00\x00content" {
		t.Errorf("ReadAt = %q, %v", got, err)
	}
	if err := f.Truncate(4); err != nil {
		t.Fatal(err)
	}
	wantSize(t, f, 4)
}

func TestPreallocateOnlyGrows(t *testing.T) {
	f := create(t, filepath.Join(t.TempDir(), "a"))
	for _, step := range []struct{ ask, want int64 }{{0, 0}, {5000, 5000}, {100, 5000}, {1 << 20, 1 << 20}} {
		if err := f.Preallocate(step.ask); err != nil {
			t.Fatal(err)
		}
		wantSize(t, f, step.want)
	}
}

func TestNamesChange(t *testing.T) {
	root, fsys := t.TempDir(), vfs.OS()
	in := func(name string) string { return filepath.Join(root, name) }
	create(t, in("a"))
	for what, err := range map[string]error{
		"link":    fsys.Link(in("a"), in("b")),
		"mkdir":   fsys.Mkdir(in("dir"), 0o777),
		"rename":  fsys.Rename(in("b"), in("dir/c")),
		"syncdir": fsys.SyncDir(in("dir")),
		"unlink":  fsys.Unlink(in("a")),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := fsys.Rmdir(in("dir")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Rmdir of a full directory = %v, want %v", err, fs.ErrExist)
	}
	entries, err := fsys.ReadDir(in("dir"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "c" {
		t.Errorf("ReadDir = %v, %v, want c", entries, err)
	}
}

func TestUnlinkRefusesDirectories(t *testing.T) {
	dir := t.TempDir()
	var pe *fs.PathError
	if err := vfs.OS().Unlink(dir); !errors.As(err, &pe) || pe.Path != dir {
		t.Errorf("Unlink of an empty directory = %v, want a *fs.PathError", err)
	}
	if err := vfs.OS().SyncDir(dir); err != nil {
		t.Errorf("the directory is gone: %v", err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first := create(t, name)
	second, err := vfs.OS().OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.TryLock(); err != nil {
		t.Fatal(err)
	}
	if err := first.TryLock(); err != nil {
		t.Errorf("the holder's second TryLock = %v", err)
	}
	if err := second.TryLock(); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("the other's TryLock = %v, want %v", err, vfs.ErrLocked)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if second, err = vfs.OS().OpenFile(name, os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	if err := second.TryLock(); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("TryLock after another's Close = %v, want %v", err, vfs.ErrLocked)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}
