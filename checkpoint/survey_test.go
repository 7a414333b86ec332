package checkpoint

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestDataFilesThatAnOverwriteLeftAreRemovedWithIt: what was in place had no
// other data files than one of two, so that nothing of it was kept.
func TestDataFilesThatAnOverwriteLeftAreRemovedWithIt(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	mustSave(t, m, nil)
	writeFile(t, dir, "ckpt-5.index", "half a checkpoint")
	writeFile(t, dir, "ckpt-5.data-00001-of-00002", "half a checkpoint")
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(5)})
	mustSave(t, m, nil)
	wantPaths(t, "files", listing(t, dir), "checkpoint", "ckpt-6.data-00000-of-00001", "ckpt-6.index", "ckpt-6.receipt.json")
}

// TestRecoveryFilesThatStayedAreRemovedByTheNextSave: they are found because
// the save after an overwrite lists the directory.
func TestRecoveryFilesThatStayedAreRemovedByTheNextSave(t *testing.T) {
	fails, disk := false, mem.Dir()
	dir := lockable{failing{disk, func(op, name string) error {
		if fails && op == "remove" && strings.Contains(name, filename.RecoverySuffix) {
			return errDisk
		}
		return nil
	}}}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	mustSave(t, m, nil)
	fails = true
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(1)})
	fails = false
	if got := recoveryFiles(t, m); len(got) == 0 {
		t.Fatal("no recovery files stayed: the test shows nothing")
	}
	mustSave(t, m, nil)
	wantPaths(t, "recovery files", recoveryFiles(t, m))
}

// lockable is a failing Dir that can be locked: without the lock nothing is
// tidied.
type lockable struct{ failing }

func (l lockable) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, l.Dir, name)
}

func recoveryFiles(t *testing.T, m *Manager) []string {
	t.Helper()
	var found []string
	for _, name := range listing(t, m.Directory()) {
		if strings.Contains(name, filename.RecoverySuffix) {
			found = append(found, name)
		}
	}
	return found
}

func TestRemovedNumberIsNeverUsedAgain(t *testing.T) {
	c, _ := one(1)
	m := newManager(t, c, mem.Dir(), &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(9)})
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(3)}) // which removes ckpt-9
	if got := mustSave(t, m, nil); got != "ckpt-10" {
		t.Errorf("Save() after ckpt-9 was removed = %q, want ckpt-10", got)
	}
}

// TestBrokenStateFileMakesTheManagerLookAgain: whoever wrote over it may have
// written checkpoints too.
func TestBrokenStateFileMakesTheManagerLookAgain(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	mustSave(t, m, nil)
	writeFile(t, dir, "ckpt-7.index", "foreign")
	writeFile(t, dir, filename.State, "garbage")
	if got := mustSave(t, m, nil); got != "ckpt-8" {
		t.Errorf("Save() beside ckpt-7 = %q, want ckpt-8", got)
	}
}

// TestCheckpointOfAFailedSaveIsAdoptedOnce: it was preserved then, and is not
// the manager's any more.
func TestCheckpointOfAFailedSaveIsAdoptedOnce(t *testing.T) {
	fails, now, disk := false, at(1000), mem.Dir()
	dir := &failing{disk, func(op, name string) error {
		if fails && op == "commit" && name == filename.State {
			return errDisk
		}
		return nil
	}}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: time.Second, Now: now.now})
	now.add(time.Minute)
	fails = true
	if path, err := m.Save(background(), nil); err == nil {
		t.Fatalf("Save() = %q, want an error", path)
	}
	fails = false
	now.add(time.Minute)
	mustSave(t, m, nil) // adopts ckpt-1 and preserves it
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-2")
	writeFile(t, disk, filename.State, "garbage") // so that it looks at all files again
	now.add(time.Minute)
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	if got := onDisk(t, disk); !contains(got, "ckpt-1") {
		t.Errorf("on disk: %v, want ckpt-1, which was preserved, among them", got)
	}
}
