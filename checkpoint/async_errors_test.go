package checkpoint

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// broken begins a save, ckpt-2 after ckpt-1, that fails.
func broken(t *testing.T, o *ManagerOptions) (*Manager, *gated, *Saving) {
	t.Helper()
	dir := newGated()
	c, _ := one(1)
	o.Async = &Async{Queue: 9}
	m := newManager(t, c, dir, o)
	dir.let(1)
	mustSave(t, m, nil)
	s := mustBegin(t, m, nil)
	dir.pass <- errDisk
	dir.let(9)
	synctest.Wait()
	return m, dir, s
}

// askers are the ways to learn of a failed save.
var askers = map[string]func(*Manager, *Saving) error{
	"Saving.Wait":         func(_ *Manager, s *Saving) error { return s.Wait(background()) },
	"Manager.Sync":        func(m *Manager, _ *Saving) error { return m.Sync(background()) },
	"Checkpoint.Sync":     func(m *Manager, _ *Saving) error { return m.c.Sync(background()) },
	"Manager.Save":        func(m *Manager, _ *Saving) error { _, err := m.Save(background(), nil); return err },
	"Manager.Begin":       func(m *Manager, _ *Saving) error { _, err := m.Begin(background(), nil); return err },
	"RestoreOrInitialize": func(m *Manager, _ *Saving) error { _, err := m.RestoreOrInitialize(background()); return err },
	"Close":               func(m *Manager, _ *Saving) error { return m.Close(background()) },
}

// TestWhoeverAsksFirstIsToldOfAFailedSave, and nobody after that (P25).
func TestWhoeverAsksFirstIsToldOfAFailedSave(t *testing.T) {
	for name, ask := range askers {
		synctest.Test(t, func(t *testing.T) {
			logger, log := logged()
			var hooked []string
			m, dir, s := broken(t, &ManagerOptions{Logger: logger, Hooks: &Hooks{
				OnError: func(_ context.Context, path string, err error) { hooked = append(hooked, path+": "+err.Error()) },
			}})
			err := ask(m, s)
			if !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "save ckpt-2: ") {
				t.Errorf("%s = %v, want an error of ckpt-2", name, err)
			}
			if err := errors.Join(m.Sync(background()), m.c.Sync(background()), m.Close(background())); err != nil {
				t.Errorf("after %s: %v, want nil", name, err)
			}
			if err := s.Wait(background()); !errors.Is(err, errDisk) {
				t.Errorf("Wait() after %s = %v, want the error again", name, err)
			}
			if !strings.Contains(log.String(), "save failed") {
				t.Errorf("log = %s, want the failed save", log.String())
			}
			if len(hooked) != 1 || !strings.HasPrefix(hooked[0], "ckpt-2: save ckpt-2: ") {
				t.Errorf("OnError got %q, want ckpt-2 once", hooked)
			}
			if want := m.LatestCheckpoint() != "ckpt-1"; want != (name == "Manager.Save" || name == "Manager.Begin") {
				t.Errorf("LatestCheckpoint() = %q after %s", m.LatestCheckpoint(), name)
			}
			if contains(onDisk(t, dir.Dir), "ckpt-2") {
				t.Error("ckpt-2 is on disk")
			}
		})
	}
}

// TestTheSaveThatTellsOfAnEarlierOneIsMade, with the next number.
func TestTheSaveThatTellsOfAnEarlierOneIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, dir, _ := broken(t, new(ManagerOptions))
		path, err := m.Save(background(), nil)
		var earlier *EarlierError
		if path != "ckpt-3" || !errors.As(err, &earlier) || earlier.Path != "ckpt-2" {
			t.Errorf("Save() = %q, %v, want ckpt-3 and the error of ckpt-2", path, err)
		}
		mustSync(t, m)
		wantPaths(t, "on disk", onDisk(t, dir.Dir), "ckpt-1", "ckpt-3")
		wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-3")
	})
}

// TestASaveThatIsNotDueTellsToo: nobody waits for the next interval.
func TestASaveThatIsNotDueTellsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := int64(0)
		m, _, _ := broken(t, &ManagerOptions{StepCounter: func() int64 { step++; return step }, CheckpointInterval: 1})
		m.o.CheckpointInterval = 100
		path, err := m.Save(background(), nil)
		if path != "" || !errors.Is(err, errDisk) {
			t.Errorf("Save() = %q, %v, want \"\" and the error of ckpt-2", path, err)
		}
	})
}

// TestFailedSavesAreToldToTheirOwn manager or Checkpoint.
func TestFailedSavesAreToldToTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _ := broken(t, new(ManagerOptions))
		other := newManager(t, m.c, mem.Dir(), &ManagerOptions{Async: &Async{}})
		if err := errors.Join(other.Sync(background()), other.Close(background())); err != nil {
			t.Errorf("another manager: %v, want nil", err)
		}
		if _, err := m.c.Save(background(), mem.Dir(), "x"); err != nil {
			t.Errorf("Checkpoint.Save() = %v, want nil", err)
		}
		if err := m.Close(background()); !errors.Is(err, errDisk) {
			t.Errorf("Close() = %v, want errDisk", err)
		}
	})
}

func TestAFailedPlainSaveIsTold(t *testing.T) {
	begin := map[string]func(*Checkpoint, *gated) error{
		"Save":   func(c *Checkpoint, dir *gated) error { _, err := c.Save(background(), dir, "a"); return err },
		"Write":  func(c *Checkpoint, dir *gated) error { return c.Write(background(), dir, "a-1") },
		"SaveAs": func(c *Checkpoint, dir *gated) error { return c.SaveAs(background(), dir, "a-1", nil) },
	}
	ask := map[string]func(*Checkpoint, *gated) error{
		"Save":   func(c *Checkpoint, dir *gated) error { _, err := c.Save(background(), dir, "b"); return err },
		"Write":  func(c *Checkpoint, dir *gated) error { return c.Write(background(), dir, "b") },
		"SaveAs": func(c *Checkpoint, dir *gated) error { return c.SaveAs(background(), dir, "b", nil) },
		"Sync":   func(c *Checkpoint, _ *gated) error { return c.Sync(background()) },
	}
	for first, begin := range begin {
		for second, ask := range ask {
			synctest.Test(t, func(t *testing.T) {
				logger, log := logged()
				dir := newGated()
				c := New(nil, Objects{"v": variable(1)}, &Options{Async: &Async{}, Logger: logger})
				if err := begin(c, dir); err != nil {
					t.Fatal(err)
				}
				dir.pass <- errDisk
				dir.let(1)
				synctest.Wait()
				if err := ask(c, dir); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), " a-1: ") {
					t.Errorf("%s after a failed %s = %v, want the error of a-1", second, first, err)
				}
				mustSync(t, c)
				if made := len(onDisk(t, dir.Dir)); made != 1 && second != "Sync" {
					t.Errorf("%s after a failed %s made %d checkpoints, want 1", second, first, made)
				}
				if !strings.Contains(log.String(), "path=a-1") {
					t.Errorf("log = %s, want a-1", log.String())
				}
				// Nothing is left locked.
				if err := c.Write(background(), dir, "c"); err != nil {
					t.Error(err)
				}
				dir.let(1)
				mustSync(t, c)
			})
		}
	}
}

// TestAnAsyncSaveThatCannotBeginFailsAtOnce and changes nothing.
func TestAnAsyncSaveThatCannotBeginFailsAtOnce(t *testing.T) {
	c, _ := one(1)
	c.Track("broken", trackable.State(failingState{}))
	m := newManager(t, c, mem.Dir(), &ManagerOptions{Async: &Async{}})
	if s, err := m.Begin(background(), nil); s != nil || !errors.Is(err, errState) {
		t.Errorf("Begin() = %v, %v, want errState", s, err)
	}
	if err := errors.Join(m.Sync(background()), m.Close(background())); err != nil {
		t.Errorf("after that: %v, want nil: the error was returned", err)
	}
	if c.SaveCounter() != 0 || len(m.pending) != 0 {
		t.Errorf("save counter %d, %d pending, want 0", c.SaveCounter(), len(m.pending))
	}
}

// TestAsyncOptionErrors: a manager's at once, a Checkpoint's with its first
// save, as other misuse.
func TestAsyncOptionErrors(t *testing.T) {
	for _, a := range []*Async{{Queue: -1}, {WhenFull: 3}, {WhenFull: -1}} {
		c, _ := one(1)
		if _, err := NewManager(background(), c, mem.Dir(), &ManagerOptions{Async: a}); err == nil {
			t.Errorf("NewManager with %+v: no error", *a)
		}
		c = New(nil, nil, &Options{Async: a})
		if _, err := c.Save(background(), mem.Dir(), "x"); err == nil {
			t.Errorf("Checkpoint.Save with %+v: no error", *a)
		}
	}
}
