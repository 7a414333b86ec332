package checkpoint

import (
	"errors"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// fullDisk is a file system without room until something is removed from it.
func fullDisk(full *bool) vfs.FS {
	return vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		switch op.Verb {
		case "unlink":
			*full = false
		case "write", "preallocate", "mkdir":
			if *full {
				return syscall.ENOSPC
			}
		}
		return nil
	})
}

// TestAFullDiskCanBePruned: it is then that people remove.
func TestAFullDiskCanBePruned(t *testing.T) {
	full := false
	dir := local.DirOn(fullDisk(&full), t.TempDir())
	c, _ := one(1)
	m := newManager(t, c, dir, nil)
	for range 4 {
		mustSave(t, m, nil)
	}
	if err := Tag(background(), dir, "ckpt-4", "x"); err != nil { // makes the lock of removals
		t.Fatal(err)
	}
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	full = true
	if err := storage.WriteFile(background(), dir, "x", []byte("x")); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("WriteFile = %v, want ENOSPC", err)
	}
	full = true // discarding what could not be written was a removal
	plan, err := PlanPrune(background(), dir, retention.Latest(2), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Do(background()); err != nil {
		t.Fatalf("Do = %v", err)
	}
	wantPaths(t, "checkpoints", onDisk(t, dir), "ckpt-3", "ckpt-4")
	wantPaths(t, "listed", readState(t, dir).AllModelCheckpointPaths, "ckpt-3", "ckpt-4")
}

func TestOnAFullDiskTheLatestIsNotRemovedBeforeTheStateSaysSo(t *testing.T) {
	full := false
	dir := local.DirOn(fullDisk(&full), t.TempDir())
	c, _ := one(1)
	m := newManager(t, c, dir, nil)
	for range 2 {
		mustSave(t, m, nil)
	}
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	full = true
	if err := Remove(background(), dir, "ckpt-2"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Remove = %v, want ENOSPC", err)
	}
	wantPaths(t, "checkpoints", onDisk(t, dir), "ckpt-1", "ckpt-2")
}
