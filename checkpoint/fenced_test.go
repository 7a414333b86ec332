package checkpoint

import (
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// stop stops a process, as SIGSTOP does, before its i-th operation from when it
// was armed.
type stop struct {
	armed  atomic.Bool
	left   atomic.Int64
	resume chan struct{}
}

func (s *stop) before(vfstest.Op) error {
	if s.armed.Load() && s.left.Add(-1) < 0 {
		<-s.resume
	}
	return nil
}

func (s *stop) at(i int64) {
	s.left.Store(i)
	s.armed.Store(true)
}

func leasedBy(dir storage.Dir, who string) storage.Dir {
	return storage.WithLease(dir, &storage.LeaseOptions{Holder: "process 1 (" + who + ") on host"})
}

// stopTest is one way in which a writer is stopped while another takes over.
type stopTest struct {
	name   string
	save   *SaveOptions // what the first is doing
	fresh  bool         // it is its first save
	closed bool         // the second has ended when the first goes on
}

// TestAWriterStoppedAnywhereHarmsNothingOfTheNext stops a writer before each
// operation of a save, lets another take its lease, save, sweep and write a
// number again, and lets the first go on.
//
// Proves D26, D27.
func TestAWriterStoppedAnywhereHarmsNothingOfTheNext(t *testing.T) {
	three := int64(3)
	states := 0
	for _, s := range []stopTest{
		{name: "new number"}, {name: "new number, closed", closed: true},
		{name: "first save", fresh: true}, {name: "first save, closed", fresh: true, closed: true},
		{name: "number again", save: &SaveOptions{CheckpointNumber: &three}},
		{name: "number again, closed", save: &SaveOptions{CheckpointNumber: &three}, closed: true},
	} {
		step := 1
		if s.save != nil || s.fresh || s.closed { // the first has all of them, whatever the time
			step = torture.Times(5, 1)
		}
		for i, more := 0, true; more; i += step * torture.Thin(5) {
			synctest.Test(t, func(t *testing.T) { more = s.run(t, i) })
			states++
			if t.Failed() {
				t.Fatalf("%s, stopped before operation %d", s.name, i)
			}
		}
	}
	torture.Count(t, "writers stopped", states)
}

// run reports whether the save has so many operations.
func (s stopTest) run(t *testing.T, i int) bool {
	disk, a := vfstest.NewStrict(nil), &stop{resume: make(chan struct{})}
	first := s.first(t, leasedBy(local.DirOn(vfstest.Hook(disk, a.before), "/run"), "a"))
	done, saved := make(chan error, 1), ""
	a.at(int64(i))
	go func() {
		var err error
		saved, err = first.Save(background(), s.save)
		done <- err
	}()
	synctest.Wait()
	if len(done) > 0 {
		close(a.resume)
		must(t, errors.Join(<-done, first.Close(background())))
		return false
	}
	plain := local.DirOn(disk, "/run")
	b := s.second(t, leasedBy(plain, "b"))
	if s.closed {
		// What it could not remove, because the other was just at that, stays.
		if err := b.m.Close(background()); err != nil && !errors.Is(err, storage.ErrLocked) {
			t.Error(err)
		}
	}
	close(a.resume)
	// It may have been about to link what the next writer has removed.
	if err := <-done; err != nil && !errors.Is(err, storage.ErrLocked) && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the stopped save = %v, want nil or %v", err, storage.ErrFenced)
	}
	if r, err := ReadReceipt(background(), plain, saved); s.closed && err == nil && r.Token > b.token {
		must(t, first.Close(background())) // it had not begun, and came after the other
		b.last = 104
		b.wantRestored(t, plain)
		return true
	}
	b.wantAll(t, plain)
	if !s.closed {
		if _, err := first.Save(background(), nil); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("the next save of the stopped writer = %v, want %v", err, storage.ErrFenced)
		}
		b.save(t, 300, nil)
		b.wantAll(t, plain)
		must(t, b.m.Close(background()))
	}
	if err := first.Close(background()); err != nil && !errors.Is(err, storage.ErrLocked) {
		t.Errorf("Close of the stopped writer = %v", err)
	}
	b.wantRestored(t, plain)
	return true
}

// first returns the writer that is to be stopped, which has saved 1, 2 and 3.
func (s stopTest) first(t *testing.T, dir storage.Dir) *Manager {
	t.Helper()
	c, v := one(0)
	open := func() *Manager {
		m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 2})
		must(t, err)
		return m
	}
	m := open()
	for k := range 3 {
		v.Value[0] = float32(101 + k)
		mustSave(t, m, nil)
	}
	if s.fresh {
		must(t, m.Close(background()))
		m = open()
	}
	v.Value[0] = 104
	return m
}

// successor is the writer that takes over.
type successor struct {
	m     *Manager
	v     *variableF
	acked map[string]float32
	last  float32
	token int64
}

func (s stopTest) second(t *testing.T, dir storage.Dir) *successor {
	t.Helper()
	c, v := one(0)
	m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 3})
	must(t, err)
	if p, err := m.RestoreOrInitialize(background()); err != nil || v.Value[0] < 103 || v.Value[0] > 104 {
		t.Errorf("the next writer restores %s, %v, %v, want the newest", p, v.Value, err)
	}
	b := &successor{m: m, v: v, acked: make(map[string]float32)}
	three := int64(3)
	b.save(t, 201, nil)
	b.save(t, 202, &SaveOptions{CheckpointNumber: &three})
	b.save(t, 203, nil)
	return b
}

// save saves a value. A number that the stopped one may still write is refused.
func (b *successor) save(t *testing.T, value float32, o *SaveOptions) {
	t.Helper()
	b.v.Value[0] = value
	p, err := b.m.Save(background(), o)
	if err == nil {
		b.acked[p], b.last = value, value
		r, err := ReadReceipt(background(), b.m.Directory(), p)
		must(t, err)
		b.token = r.Token
	} else if o == nil || !errors.Is(err, storage.ErrLocked) {
		t.Errorf("Save(%v) of the next writer = %v", o, err)
	}
}

// wantAll looks for what the next writer has saved and not removed itself.
func (b *successor) wantAll(t *testing.T, dir storage.Dir) {
	t.Helper()
	for _, p := range b.m.Checkpoints() {
		c, v := one(0)
		status, err := c.Restore(background(), dir, p)
		if want, mine := b.acked[p]; err != nil || mine && v.Value[0] != want {
			t.Errorf("%s is %v, %v (%v), want %v", p, v.Value, status, err, want)
		}
	}
}

// wantRestored looks from the outside, as one who begins anew.
func (b *successor) wantRestored(t *testing.T, dir storage.Dir) {
	t.Helper()
	c, v := one(0)
	m, err := NewManager(background(), c, leasedBy(dir, "c"), nil)
	must(t, err)
	if p, err := m.RestoreOrInitialize(background()); err != nil || v.Value[0] != b.last {
		t.Errorf("who begins anew restores %s, %v, %v, want %v", p, v.Value, err, b.last)
	}
	must(t, m.Close(background()))
}

// TestReceiptsHaveTheToken of the lease they were written under.
func TestReceiptsHaveTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfstest.NewStrict(nil)
		for i, who := range []string{"a", "b"} {
			dir := leasedBy(local.DirOn(disk, "/run"), who)
			c, _ := one(1)
			m, err := NewManager(background(), c, dir, nil)
			must(t, err)
			for range 2 {
				r, err := ReadReceipt(background(), dir, mustSave(t, m, nil))
				if err != nil || r.Token != int64(i+1) {
					t.Errorf("token of %s is %d, %v, want %d", who, r.Token, err, i+1)
				}
			}
			must(t, m.Close(background()))
		}
		dir := local.DirOn(disk, "/other")
		c, _ := one(1)
		must(t, c.Write(background(), dir, "ckpt-1"))
		if r, err := ReadReceipt(background(), dir, "ckpt-1"); err != nil || r.Token != 0 {
			t.Errorf("token where there is a lock is %d, %v, want none", r.Token, err)
		}
		if _, err := storage.ReadFile(background(), dir, ".ckpt.writers/checkpoint@1.json"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is a lease where there is a lock: %v", err)
		}
	})
}

// TestWhoHasALockFollowsALease: where somebody uses a lease everybody does, so
// that a command of a machine whose lock reaches no other does no harm.
func TestWhoHasALockFollowsALease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := local.DirOn(vfstest.NewStrict(nil), "/run")
		c, _ := one(1)
		m, err := NewManager(background(), c, leasedBy(dir, "a"), nil)
		must(t, err)
		p := mustSave(t, m, nil)
		want := "(process 1 (a) on host, since 2000-01-01T00:00:00Z, who renews it)"
		if err := Remove(background(), dir, p); !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("Remove = %v, want %v and %s", err, storage.ErrLocked, want)
		}
		must(t, Pin(background(), dir, p, "in use"))
		must(t, m.Close(background()))
		must(t, Remove(background(), dir, p))
	})
}
