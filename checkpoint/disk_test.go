package checkpoint

import (
	"fmt"
	"io/fs"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// unflushed is the disk without its flushes, which say nothing here and take
// all the time.
type unflushed struct{ vfs.FS }

func (u unflushed) SyncDir(string) error { return nil }

func (u unflushed) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := u.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return unflushedFile{f}, nil
}

type unflushedFile struct{ vfs.File }

func (unflushedFile) Sync() error { return nil }

// breaking returns the disk with operation i failing, and all after it if the
// process is to be dead from then on. reached tells whether it came to that.
func breaking(i int, dies bool) (fsys vfs.FS, reached func() bool) {
	var mu sync.Mutex
	n := 0
	fsys = vfstest.Hook(unflushed{vfs.OS()}, func(vfstest.Op) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		if n == i+1 || n > i && dies {
			return errDead
		}
		return nil
	})
	return fsys, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return n > i
	}
}

// TestManagerOnADiskSurvivesWhateverFails runs saves, a sweep and an overwrite
// over storage/local's own code, with each operation of the file system
// failing in turn, alone or as the last.
func TestManagerOnADiskSurvivesWhateverFails(t *testing.T) {
	whateverFails(t, true, nil)
	whateverFails(t, false, nil)
	whateverFails(t, true, &Async{Queue: 1})
}

func whateverFails(t *testing.T, dies bool, async *Async) {
	t.Run(fmt.Sprintf("dies %v, asynchronous %v", dies, async != nil), func(t *testing.T) {
		t.Parallel() // most of the time goes to the disk
		for i := 0; ; i += torture.Thin(5) {
			path := t.TempDir()
			fsys, reached := breaking(i, dies)
			done := saveThrice(local.DirOn(fsys, path), async)
			t.Run(fmt.Sprintf("operation %d fails", i), func(t *testing.T) {
				afterFailure(t, local.DirOn(unflushed{vfs.OS()}, path), done)
			})
			if !reached() {
				break
			}
		}
	})
}

// saveThrice saves 1 and 2 and then 3 over 2, whatever goes wrong, and returns
// the last value of which Save said that it was saved.
func saveThrice(dir storage.Dir, async *Async) (done int) {
	c, v := one(0)
	m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 1, Async: async, Now: at(1000).tick})
	if err != nil {
		return 0
	}
	var begun []*Saving // of saves that failed at once: nil
	for i, number := range []int64{1, 2, 2} {
		v.Value[0] = float32(i + 1)
		s, _ := m.Begin(background(), &SaveOptions{CheckpointNumber: &number})
		begun = append(begun, s)
	}
	for i, s := range begun {
		if s != nil && s.Wait(background()) == nil {
			done = i + 1
		}
	}
	// An error of Close is about what could not be removed.
	_ = m.Close(background())
	return done
}

// afterFailure restarts: what was saved is there, or something newer.
func afterFailure(t *testing.T, dir storage.Dir, done int) {
	t.Helper()
	c, v := one(-1)
	m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(2000).tick})
	if err != nil {
		t.Fatal(err)
	}
	path, err := m.RestoreOrInitialize(background())
	if err != nil {
		t.Fatalf("RestoreOrInitialize() = %v", err)
	}
	if got := v.Value[0]; done > 0 && got < float32(done) || got > 3 {
		t.Errorf("restored %v from %q, want at least %d", got, path, done)
	}
	v.Value[0] = 100
	path = mustSave(t, m, nil)
	if got := value(t, dir, path); got != 100 {
		t.Errorf("restored %v after another save, want 100", got)
	}
	if err := m.Close(background()); err != nil {
		t.Errorf("Close() = %v", err)
	}
	noOrphans(t, dir)
	wantPaths(t, "on disk", onDisk(t, dir), path)
}
