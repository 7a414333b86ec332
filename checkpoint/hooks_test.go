package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// both runs test with synchronous and with asynchronous saves.
func both(t *testing.T, test func(t *testing.T, async *Async)) {
	t.Helper()
	t.Run("synchronous", func(t *testing.T) { test(t, nil) })
	t.Run("asynchronous", func(t *testing.T) { test(t, &Async{}) })
}

// TestScenario036CallbackArity: TensorFlow counts a callback's parameters when
// it is made. Here the compiler does: a hook of other parameters is no hook.
func TestScenario036CallbackArity(t *testing.T) {
	type (
		before = func(context.Context, string) error
		after  = func(context.Context, Event)
		failed = func(context.Context, string, error)
	)
	want := map[string]reflect.Type{
		"BeforeSave": reflect.TypeFor[before](), "AfterCommit": reflect.TypeFor[after](),
		"AfterRemoval": reflect.TypeFor[after](), "OnError": reflect.TypeFor[failed](),
	}
	for f := range reflect.TypeFor[Hooks]().Fields() {
		if f.Type != want[f.Name] {
			t.Errorf("Hooks.%s is a %v, want %v", f.Name, f.Type, want[f.Name])
		}
	}
	var got string
	c, _ := one(1)
	m := newManager(t, c, mem.Dir(), &ManagerOptions{Hooks: &Hooks{AfterCommit: func(_ context.Context, e Event) { got = e.Path }}})
	if path := mustSave(t, m, nil); got != path {
		t.Errorf("AfterCommit got the path %q, want %q", got, path)
	}
}

// TestHooksAreCalledInOrderWhenAllIsRecorded: each can read what has happened,
// from the manager and from the directory, and write there with functions of
// the package.
func TestHooksAreCalledInOrderWhenAllIsRecorded(t *testing.T) {
	both(t, func(t *testing.T, async *Async) {
		dir, now := mem.Dir(), at(1000)
		var m *Manager
		var told []string
		c, _ := one(1)
		m = newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Async: async, Now: now.tick, Hooks: &Hooks{
			BeforeSave: func(_ context.Context, path string) error {
				told = append(told, "before "+path)
				if m.LatestCheckpoint() == path || contains(onDisk(t, dir), path) {
					t.Errorf("BeforeSave(%s): it exists", path)
				}
				return nil
			},
			AfterCommit: func(ctx context.Context, e Event) {
				told = append(told, "after "+e.Path)
				if got := readState(t, dir).ModelCheckpointPath; got != e.Path || m.LatestCheckpoint() != e.Path {
					t.Errorf("AfterCommit(%s): the state file has %s, the manager %s", e.Path, got, m.LatestCheckpoint())
				}
				if r, err := ReadReceipt(ctx, dir, e.Path); err != nil || !reflect.DeepEqual(r, e.Receipt) {
					t.Errorf("AfterCommit(%s): receipt %+v, want %+v (%v)", e.Path, e.Receipt, r, err)
				}
				if e.Duration <= 0 || e.Bytes != e.Receipt.Files[0].Size+e.Receipt.Files[1].Size {
					t.Errorf("AfterCommit(%s): %d bytes, %v", e.Path, e.Bytes, e.Duration)
				}
				if err := Reject(ctx, dir, e.Path, "a hook says so"); err != nil {
					t.Errorf("Reject in a hook: %v", err)
				}
				e.Receipt.Metrics["loss"], e.Receipt.Tags[0], *e.Receipt.Step = 9, "changed", 9
			},
			AfterRemoval: func(_ context.Context, e Event) {
				told = append(told, "removed "+e.Path+": "+e.Reason)
				if contains(onDisk(t, dir), e.Path) || contains(m.Checkpoints(), e.Path) {
					t.Errorf("AfterRemoval(%s): it is still there", e.Path)
				}
				if e.Receipt.Metrics["loss"] != 0.5 || *e.Receipt.Step != 3 {
					t.Errorf("AfterRemoval(%s): receipt %+v", e.Path, e.Receipt)
				}
			},
		}})
		for range 2 {
			mustSave(t, m, &SaveOptions{Step: number64(3), Metrics: map[string]float64{"loss": 0.5}, Tags: []string{"a"}})
		}
		mustSync(t, m)
		want := "before ckpt-1, after ckpt-1, before ckpt-2, after ckpt-2, removed ckpt-1: "
		if got := strings.Join(told, ", "); !strings.HasPrefix(got, want) || got == want {
			t.Errorf("hooks: %s, want %s and a reason", got, want)
		}
	})
}

// TestBeforeSaveRefusesASave, with an error or a panic: nothing has changed.
func TestBeforeSaveRefusesASave(t *testing.T) {
	for name, refuse := range map[string]func() error{
		"error": func() error { return errDisk },
		"panic": func() error { panic(errDisk.Error()) },
	} {
		both(t, func(t *testing.T, async *Async) {
			dir := mem.Dir()
			c, _ := one(1)
			var hooked string
			refusing := true
			m := newManager(t, c, dir, &ManagerOptions{Async: async, CheckpointInterval: 10, StepCounter: func() int64 { return 5 }, Hooks: &Hooks{
				BeforeSave: func(context.Context, string) error {
					if refusing {
						return refuse()
					}
					return nil
				},
				OnError: func(_ context.Context, path string, err error) { hooked = path },
			}})
			path, err := m.Save(background(), nil)
			if path != "" || err == nil || !strings.Contains(err.Error(), errDisk.Error()) {
				t.Errorf("%s: Save() = %q, %v, want errDisk", name, path, err)
			}
			if name == "error" && !errors.Is(err, errDisk) {
				t.Errorf("Save() = %v, want errDisk", err)
			}
			if hooked != "ckpt-1" {
				t.Errorf("OnError got %q, want ckpt-1", hooked)
			}
			wantPaths(t, "files", listing(t, dir))
			if c.SaveCounter() != 0 {
				t.Errorf("SaveCounter() = %d, want 0", c.SaveCounter())
			}
			refusing = false
			if got := mustSave(t, m, nil); got != "ckpt-1" {
				t.Errorf("Save() after that = %q, want ckpt-1: it is due, and its number free", got)
			}
			mustSync(t, m)
		})
	}
}

// TestAPanicOfAHookLosesNothing: what had happened is recorded, and the panic
// is told as an error (P17).
func TestAPanicOfAHookLosesNothing(t *testing.T) {
	for hook, hooks := range map[string]*Hooks{
		"AfterCommit":  {AfterCommit: func(context.Context, Event) { panic("no!") }},
		"AfterRemoval": {AfterRemoval: func(context.Context, Event) { panic("no!") }},
		"OnError": {
			AfterCommit: func(context.Context, Event) { panic("well") },
			OnError:     func(context.Context, string, error) { panic("no!") },
		},
	} {
		both(t, func(t *testing.T, async *Async) {
			dir := mem.Dir()
			logger, log := logged()
			c, _ := one(1)
			m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 1, Async: async, Hooks: hooks, Logger: logger})
			if err != nil {
				t.Fatal(err)
			}
			var told error
			for n := range 3 {
				path, err := m.Save(background(), nil)
				if want := fmt.Sprint("ckpt-", n+1); path != want {
					t.Errorf("Save() = %q, want %q", path, want)
				}
				told = errors.Join(told, err, m.Sync(background()))
			}
			if told == nil || !strings.Contains(told.Error(), "hook "+hook+": ckpt-") || !strings.Contains(told.Error(), "no!") {
				t.Errorf("errors: %v, want the panic of %s", told, hook)
			}
			if err := m.Close(background()); err != nil {
				t.Errorf("Close() = %v, want nil: all was told", err)
			}
			wantWarning(t, log, "hook panicked")
			wantPaths(t, "on disk", onDisk(t, dir), "ckpt-3")
			wantPaths(t, "state file", readState(t, dir).AllModelCheckpointPaths, "ckpt-3")
			wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-3")
		})
	}
}

// TestAHookThatSavesGetsAnError instead of waiting for itself for ever.
func TestAHookThatSavesGetsAnError(t *testing.T) {
	both(t, func(t *testing.T, async *Async) {
		dir, c := mem.Dir(), (*Checkpoint)(nil)
		var m *Manager
		var errs []error
		hook := func(ctx context.Context) {
			_, save := m.Save(ctx, nil)
			_, plain := c.Save(ctx, dir, "x")
			_, restore := c.Restore(ctx, dir, "ckpt-1")
			_, initialize := m.RestoreOrInitialize(ctx)
			errs = append(errs, save, plain, restore, initialize, m.Sync(ctx), c.Sync(ctx), m.Close(ctx), c.Write(ctx, dir, "y"))
		}
		c, _ = one(1)
		m = newManager(t, c, dir, &ManagerOptions{Async: async, Hooks: &Hooks{
			BeforeSave:  func(ctx context.Context, _ string) error { hook(ctx); return nil },
			AfterCommit: func(ctx context.Context, _ Event) { hook(ctx) },
		}})
		mustSave(t, m, nil)
		mustSync(t, m)
		if len(errs) != 16 {
			t.Errorf("%d errors, want 16", len(errs))
		}
		for i, err := range errs {
			if !errors.Is(err, ErrSaving) {
				t.Errorf("call %d in a hook = %v, want ErrSaving", i%8, err)
			}
		}
	})
}

// TestAHookMayUseAnotherCheckpoint with the context it was given.
func TestAHookMayUseAnotherCheckpoint(t *testing.T) {
	best, bestDir := New(nil, Objects{"v": variable(7)}, nil), mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, mem.Dir(), &ManagerOptions{Hooks: &Hooks{AfterCommit: func(ctx context.Context, _ Event) {
		if err := best.Write(ctx, bestDir, "best"); err != nil {
			t.Error(err)
		}
	}}})
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, bestDir), "best")
}

// TestOnErrorIsToldOfARemovalThatFailed: the save has not.
func TestOnErrorIsToldOfARemovalThatFailed(t *testing.T) {
	both(t, func(t *testing.T, async *Async) {
		disk := mem.Dir()
		failed := false
		dir := failing{disk, func(op, name string) error {
			if op == "remove" && !failed {
				return errDisk
			}
			return nil
		}}
		var hooked []string
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Async: async, Hooks: &Hooks{
			OnError: func(_ context.Context, path string, err error) {
				failed = true
				hooked = append(hooked, fmt.Sprint(path, errors.Is(err, errDisk)))
			},
		}})
		for range 3 {
			mustSave(t, m, nil)
			mustSync(t, m)
		}
		wantPaths(t, "OnError", hooked, "ckpt-2true")
		wantPaths(t, "on disk", onDisk(t, disk), "ckpt-3")
	})
}

// TestSaveOptionsAreInTheReceipt as they were in the call.
func TestSaveOptionsAreInTheReceipt(t *testing.T) {
	both(t, func(t *testing.T, async *Async) {
		g := newGated()
		g.let(9)
		var dir storage.Dir = g
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Async: async})
		o := SaveOptions{Step: number64(1), Epoch: number64(2), Metrics: map[string]float64{"loss": 3}, Tags: []string{"four"}, Pin: "five"}
		path := mustSave(t, m, &o)
		*o.Step, *o.Epoch, o.Metrics["loss"], o.Tags[0] = 0, 0, 0, ""
		mustSync(t, m)
		r, err := ReadReceipt(background(), dir, path)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(*r.Step, *r.Epoch, r.Metrics, r.Tags, r.Pinned); got != "1 2 map[loss:3] [four]five" {
			t.Errorf("receipt has %s", got)
		}
	})
}

// TestAHookMayChangeItsEvent: the manager has its own of everything.
func TestAHookMayChangeItsEvent(t *testing.T) {
	c, _ := one(1)
	m := newManager(t, c, mem.Dir(), &ManagerOptions{Every: schedule.Lowest("loss", nil), Hooks: &Hooks{
		AfterCommit: func(_ context.Context, e Event) { e.Receipt.Metrics["loss"] = -100 },
	}})
	for _, loss := range []float64{3, 2, 1} {
		if path := mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": loss}}); path == "" {
			t.Errorf("a loss of %v is no improvement", loss)
		}
	}
}
