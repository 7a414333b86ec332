package local_test

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestALinkWhoseAnswerWasLostIsOurs: an NFS client that asks again is told that
// there is such a file, which it has made itself.
func TestALinkWhoseAnswerWasLostIsOurs(t *testing.T) {
	for _, lost := range []bool{true, false} {
		root := t.TempDir()
		fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
			if op.Verb != "link" {
				return nil
			}
			if !lost {
				return syscall.EEXIST // of somebody's who has removed it since
			}
			return errors.Join(os.Link(op.Path, op.To), syscall.EEXIST)
		})
		dir := local.DirOn(fsys, root)
		err := storage.WriteNew(t.Context(), dir, "token", []byte("mine"))
		if lost != (err == nil) || err != nil && !errors.Is(err, fs.ErrExist) {
			t.Errorf("WriteNew, answer lost %v = %v", lost, err)
		}
		entries, err := os.ReadDir(root)
		if err != nil || lost != (len(entries) == 1) {
			t.Errorf("answer lost %v: there are %v, %v", lost, entries, err)
		}
	}
}

// TestWithoutLinksNothingIsExclusive, as on FAT.
func TestWithoutLinksNothingIsExclusive(t *testing.T) {
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if op.Verb == "link" {
			return syscall.EPERM
		}
		return nil
	})
	root := t.TempDir()
	if err := storage.WriteNew(t.Context(), local.DirOn(fsys, root), "token", nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("WriteNew = %v, want %v", err, errors.ErrUnsupported)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
		t.Errorf("there are %v, %v, want none", entries, err)
	}
}
