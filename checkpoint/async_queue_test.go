package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestReadersNeverWaitForAWrite: what they return changes with the commit.
func TestReadersNeverWaitForAWrite(t *testing.T) {
	for _, async := range []*Async{nil, {}} {
		synctest.Test(t, func(t *testing.T) {
			dir := newGated()
			c, _ := one(1)
			m := newManager(t, c, dir, &ManagerOptions{Async: async, MaxToKeep: 1})
			go func() {
				if _, err := m.Save(background(), nil); err != nil {
					t.Error(err)
				}
			}()
			for _, want := range []string{"", "ckpt-1"} {
				synctest.Wait()
				if got := m.LatestCheckpoint(); got != want {
					t.Errorf("LatestCheckpoint() = %q, want %q", got, want)
				}
				if got := len(m.Checkpoints()); got != len(want)/len("ckpt-1") {
					t.Errorf("Checkpoints() = %v, with %q as the latest", m.Checkpoints(), want)
				}
				if want == "" {
					dir.let(1)
				}
			}
		})
	}
}

func TestAContextGovernsTheCallAndNotTheWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}})
		ctx, cancel := context.WithCancel(background())
		path, err := m.Save(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		var blocked error
		go func() { _, blocked = m.Save(ctx, nil) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(blocked, context.Canceled) {
			t.Errorf("a Save that waits = %v, want context.Canceled", blocked)
		}
		if err := errors.Join(m.Sync(ctx)); !errors.Is(err, context.Canceled) {
			t.Errorf("Sync() = %v, want context.Canceled", err)
		}
		if got := c.SaveCounter(); got != 1 {
			t.Errorf("SaveCounter() = %d after a Save that did not begin, want 1", got)
		}
		dir.let(2)
		mustSync(t, m)
		if got := m.LatestCheckpoint(); got != path {
			t.Errorf("LatestCheckpoint() = %q, want %q", got, path)
		}
		if got := mustSave(t, m, nil); got != "ckpt-2" {
			t.Errorf("Save() = %q, want ckpt-2", got)
		}
	})
}

func TestSkipAndReplaceWhenFull(t *testing.T) {
	for _, test := range []struct {
		async         Async
		want, written []string
		stats         AsyncStats
	}{
		{Async{Queue: 1, WhenFull: Skip}, []string{"ckpt-1", "ckpt-2", "", ""}, []string{"ckpt-1", "ckpt-2", "ckpt-3"}, AsyncStats{Written: 3, Skipped: 2}},
		{Async{WhenFull: Skip}, []string{"ckpt-1", "", "", ""}, []string{"ckpt-1", "ckpt-2"}, AsyncStats{Written: 2, Skipped: 3}},
		{Async{Queue: 2, WhenFull: Replace}, []string{"ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4"}, []string{"ckpt-1", "ckpt-2", "ckpt-4", "ckpt-5"}, AsyncStats{Written: 4, Replaced: 1}},
		{Async{WhenFull: Replace}, []string{"ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4"}, []string{"ckpt-1", "ckpt-4", "ckpt-5"}, AsyncStats{Written: 3, Replaced: 2}},
	} {
		synctest.Test(t, func(t *testing.T) {
			dir := newGated()
			c, _ := one(1)
			m := newManager(t, c, dir, &ManagerOptions{Async: &test.async})
			var got []string
			for range 4 {
				got = append(got, mustSave(t, m, nil))
				synctest.Wait()
			}
			wantPaths(t, "Save()", got, test.want...)
			dir.let(9)
			mustSync(t, m)
			mustSave(t, m, nil)
			mustSync(t, m)
			wantPaths(t, "on disk", onDisk(t, dir.Dir), test.written...)
			if got := c.AsyncStats(); got != test.stats {
				t.Errorf("AsyncStats() = %+v, want %+v", got, test.stats)
			}
		})
	}
}

func TestAReplacedSaveTellsItsHandle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{WhenFull: Replace}})
		first := mustBegin(t, m, nil)
		synctest.Wait()
		second := mustBegin(t, m, nil)
		wantDone(t, second, false)
		third := mustBegin(t, m, nil)
		wantDone(t, second, true)
		if err := second.Wait(background()); !errors.Is(err, ErrReplaced) {
			t.Errorf("Wait() = %v, want ErrReplaced", err)
		}
		wantDone(t, first, false)
		wantDone(t, third, false)
		dir.let(2)
		if err := errors.Join(third.Wait(background()), first.Wait(background()), m.Sync(background())); err != nil {
			t.Errorf("what was not replaced: %v", err)
		}
	})
}

func TestASkippedWriteIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c := New(nil, Objects{"v": variable(1)}, &Options{Async: &Async{WhenFull: Skip}})
		if err := c.Write(background(), dir, "a"); err != nil {
			t.Fatal(err)
		}
		if err := c.Write(background(), dir, "b"); !errors.Is(err, ErrSkipped) {
			t.Errorf("Write() = %v, want ErrSkipped", err)
		}
		if err := c.SaveAs(background(), dir, "b", nil); !errors.Is(err, ErrSkipped) {
			t.Errorf("SaveAs() = %v, want ErrSkipped", err)
		}
		if path, err := c.Save(background(), dir, "c"); path != "" || err != nil {
			t.Errorf("Save() = %q, %v, want \"\" and nil", path, err)
		}
		dir.let(1)
		mustSync(t, c)
		wantPaths(t, "on disk", onDisk(t, dir.Dir), "a")
	})
}

// TestPlainAsyncSaves: Checkpoint's own, into one directory with a manager at
// work, each with its number and the state file in order.
func TestPlainAsyncSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		v := variable(0)
		c := New(nil, Objects{"v": v}, &Options{Async: &Async{Queue: 9}})
		m := newManager(t, c, dir, nil) // async as the Checkpoint is
		var got []string
		for n := range 3 {
			v.Value[0] = float32(2 * n)
			got = append(got, mustSave(t, m, nil))
			v.Value[0]++
			path, err := c.Save(background(), dir, "sub/own")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, path)
		}
		if err := c.SaveAs(background(), dir, "sub/best", nil); err != nil {
			t.Fatal(err)
		}
		wantPaths(t, "paths", got, "ckpt-1", "sub/own-2", "ckpt-3", "sub/own-4", "ckpt-5", "sub/own-6")
		wantPaths(t, "before the writing", listing(t, dir.Dir))
		dir.let(7)
		mustSync(t, c)
		for n, path := range got {
			if v := value(t, dir.Dir, path); v != float32(n) {
				t.Errorf("%s has %v, want %d", path, v, n)
			}
		}
		if latest, err := Latest(background(), storage.Sub(dir, "sub")); latest != "best" || err != nil {
			t.Errorf("Latest(sub) = %q, %v, want best", latest, err)
		}
	})
}

// TestAQueuedNumberThatWasTakenIsNotOverwritten: two Checkpoints of a process
// choose the same number while neither is written.
func TestAQueuedNumberThatWasTakenIsNotOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		o := &Options{Async: &Async{}}
		a, b := New(nil, Objects{"v": variable(1)}, o), New(nil, Objects{"v": variable(2)}, o)
		for _, c := range []*Checkpoint{a, b} {
			if path, err := c.Save(background(), dir, "ckpt"); path != "ckpt-1" || err != nil {
				t.Fatalf("Save() = %q, %v", path, err)
			}
			synctest.Wait()
		}
		dir.let(9)
		mustSync(t, a)
		if err := b.Sync(background()); !errors.Is(err, fs.ErrExist) {
			t.Errorf("Sync() = %v, want fs.ErrExist", err)
		}
		if got := value(t, dir.Dir, "ckpt-1"); got != 1 {
			t.Errorf("ckpt-1 has %v, want the first's 1", got)
		}
		if path, err := b.Save(background(), dir, "ckpt"); path != "ckpt-2" || err != nil {
			t.Errorf("Save() = %q, %v, want ckpt-2", path, err)
		}
		mustSync(t, b)
	})
}

// TestAQueuedSaveCountsForTheInterval until it has failed.
func TestAQueuedSaveCountsForTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _ := one(1)
		step := int64(10)
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{Queue: 9}, CheckpointInterval: 10, StepCounter: func() int64 { return step }})
		save := func(at int64, want string) *Saving {
			t.Helper()
			step = at
			s, err := m.Begin(background(), nil)
			if err != nil {
				t.Error(err)
			}
			if s == nil && want != "" || s != nil && s.Path() != want {
				t.Errorf("at step %d Begin() = %v, want %q", at, s, want)
			}
			return s
		}
		dir.let(1)
		save(10, "ckpt-1")
		save(19, "")
		broken := save(20, "ckpt-2")
		save(20, "")
		save(25, "")
		dir.pass <- errDisk
		if err := broken.Wait(background()); !errors.Is(err, errDisk) {
			t.Errorf("Wait() = %v, want errDisk", err)
		}
		save(19, "") // as after ckpt-1
		dir.let(1)
		save(25, "ckpt-3")
		mustSync(t, m)
		save(34, "")
		dir.let(1)
		save(35, "ckpt-4")
	})
}

// TestManyGoroutinesSaveAtOnce is for the race detector.
func TestManyGoroutinesSaveAtOnce(t *testing.T) {
	for _, whenFull := range []WhenFull{Block, Skip, Replace} {
		c, v := one(1)
		m := newManager(t, c, mem.Dir(), &ManagerOptions{Async: &Async{Queue: 1, WhenFull: whenFull}, MaxToKeep: 2})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					path, err := m.Save(background(), nil)
					if err != nil || path == "" && whenFull != Skip {
						t.Errorf("Save() = %q, %v", path, err)
					}
					m.LatestCheckpoint()
					m.Checkpoints()
					c.AsyncStats()
				}
			})
			all.Go(func() {
				for range 20 {
					mustSync(t, m)
				}
			})
		}
		all.Wait()
		v.Value[0]++ // nobody reads it any more
		mustSync(t, m)
		if s := c.AsyncStats(); s.Written+s.Skipped+s.Replaced != 80 {
			t.Errorf("AsyncStats() = %+v of 80 saves", s)
		}
	}
}

// TestANumberThatIsQueuedIsTaken, also one that the caller chose and the
// counter does not know.
func TestANumberThatIsQueuedIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{Queue: 9}})
		got := []string{mustSave(t, m, &SaveOptions{CheckpointNumber: number64(2)}), mustSave(t, m, nil), mustSave(t, m, nil)}
		wantPaths(t, "Save()", got, "ckpt-2", "ckpt-3", "ckpt-4")
		dir.let(9)
		mustSync(t, m)
		wantPaths(t, "on disk", onDisk(t, dir.Dir), "ckpt-2", "ckpt-3", "ckpt-4")
	})
}

// TestAPlainAsyncSaveKeepsTheManagersList as it is when it is written.
func TestAPlainAsyncSaveKeepsTheManagersList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c := New(nil, Objects{"v": variable(0)}, &Options{Async: &Async{Queue: 9}})
		m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
		mustSave(t, m, nil)
		if _, err := c.Save(background(), dir, "own"); err != nil {
			t.Fatal(err)
		}
		dir.let(9)
		mustSync(t, c)
		wantPaths(t, "state file", readState(t, dir).AllModelCheckpointPaths, "ckpt-1", "own-2")
	})
}

// TestNothingStaysLocked after asynchronous saves, whatever became of them.
func TestNothingStaysLocked(t *testing.T) {
	for _, fails := range []error{nil, errDisk} {
		synctest.Test(t, func(t *testing.T) {
			dir := newGated()
			c := New(nil, Objects{"v": variable(0)}, &Options{Async: &Async{WhenFull: Replace}})
			m, err := NewManager(background(), c, dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			mustSave(t, m, nil)
			for range 3 {
				if err := c.Write(background(), dir, "own"); err != nil {
					t.Error(err)
				}
			}
			dir.pass <- fails
			dir.pass <- fails
			if err := errors.Join(m.Close(background()), c.Sync(background())); !errors.Is(err, fails) {
				t.Errorf("Close() and Sync() = %v, want %v", err, fails)
			}
			if n := dir.locked.Load(); n != 0 {
				t.Errorf("the directory is locked %d times, want 0", n)
			}
		})
	}
}
