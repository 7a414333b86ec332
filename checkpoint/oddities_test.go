package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestALeaseForEverIsOne(t *testing.T) {
	for _, ttl := range []time.Duration{math.MaxInt64, 290 * 365 * 24 * time.Hour} {
		dir := savedBy(t, ManagerOptions{}, 1)
		l, err := TakeLease(background(), dir, "ckpt-1", &LeaseOptions{TTL: ttl})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Err(); err != nil {
			t.Errorf("Err() of a lease for %v = %v", ttl, err)
		}
		held, err := holders(background(), dir, time.Now, func(string) bool { return true })
		if err != nil || held["ckpt-1"] == "" {
			t.Errorf("a lease for %v is held by %q (%v), want by somebody", ttl, held["ckpt-1"], err)
		}
		if err := l.Release(background()); err != nil {
			t.Error(err)
		}
	}
}

func TestALeaseOfSomebodyWithoutANameIsOne(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 1)
	text, err := json.Marshal(leaseJSON{Schema: 1, Path: "ckpt-1", Expires: time.Unix(5000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	name := leasePrefix("ckpt-1") + "x" + leaseSuffix
	writeFile(t, dir, name, string(text))
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(2000).tick})
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2")
	if !contains(listing(t, dir), name) {
		t.Error("the lease was removed before its time")
	}
}

// TestASizeThatAReceiptMakesUpRemovesNothing: what is on the disk counts.
func TestASizeThatAReceiptMakesUpRemovesNothing(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 3)
	r, err := ReadReceipt(background(), dir, "ckpt-3")
	if err != nil {
		t.Fatal(err)
	}
	r.Files[0].Size = 1 << 40
	if err := WriteReceipt(background(), dir, "ckpt-3", r); err != nil {
		t.Fatal(err)
	}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Retention: retention.MaxBytes(1 << 20), Now: at(2000).tick})
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4")
}

// TestACounterThatBeganAnewOrdersNothing: a training that chose its numbers
// and restored nothing counts from one.
func TestACounterThatBeganAnewOrdersNothing(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	save := func(numbers ...int64) {
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Retention: retention.Latest(3), Now: now.tick})
		for _, n := range numbers {
			mustSave(t, m, &SaveOptions{CheckpointNumber: &n})
		}
	}
	save(10, 20, 30, 40, 50, 60)
	save(1, 2) // of counter 1 and 2; before, 4 to 6 are left
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-60")
	save()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Retention: retention.Latest(3), Now: now.tick})
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-60", "ckpt-1", "ckpt-2")
	plan, err := PlanPrune(background(), dir, retention.Latest(2), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range plan.Removals() {
		if p.Path != "ckpt-60" {
			t.Errorf("a plan removes %s", p.Path)
		}
	}
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(3)})
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-3")
}

// TestAdoptedCheckpointsAreInTheOrderOfSaving: two whose state could not be
// written, and between them the clock was set back.
func TestAdoptedCheckpointsAreInTheOrderOfSaving(t *testing.T) {
	dir, now := mem.Dir(), at(5000)
	c, v := one(0)
	m := newManager(t, c, dir, &ManagerOptions{Now: now.tick})
	var state string
	for i, seconds := range []float64{5000, 6000, 4000} {
		now.set(seconds)
		v.Value[0] = float32(i + 1)
		mustSave(t, m, nil)
		if i == 0 {
			state = readFile(t, dir, filename.State)
		}
	}
	writeFile(t, dir, filename.State, state)
	now.set(7000)
	again := newManager(t, c, dir, &ManagerOptions{Now: now.tick})
	wantPaths(t, "Checkpoints()", again.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3")
	if got := again.LatestCheckpoint(); got != "ckpt-3" {
		t.Errorf("LatestCheckpoint() = %q, want ckpt-3", got)
	}
	remove(t, dir, filename.State)
	again = newManager(t, c, dir, &ManagerOptions{Now: now.tick})
	wantPaths(t, "Checkpoints() without a state file", again.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3")
}

// TestWhatAnotherHasSavedAgainIsNotOldest: TensorFlow's manager has begun from
// one, over a checkpoint that this manager lists, and its newest is not ours
// to remove.
func TestWhatAnotherHasSavedAgainIsNotTheOldest(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(0)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	remove(t, dir, "ckpt-1.index")
	writeSharded(t, dir, "ckpt-1", 7)
	saved := now.tick()
	if err := WriteState(background(), dir, State{ModelCheckpointPath: "ckpt-1", AllModelCheckpointPaths: []string{"ckpt-1"},
		AllModelCheckpointTimestamps: []time.Time{saved}, LastPreservedTimestamp: time.Unix(900, 0)}); err != nil {
		t.Fatal(err)
	}
	mustSave(t, m, nil)
	if got := onDisk(t, dir); !contains(got, "ckpt-1") {
		t.Errorf("on disk are %q, want ckpt-1 among them", got)
	}
	if s := readState(t, dir); !contains(s.AllModelCheckpointPaths, "ckpt-1") {
		t.Errorf("listed are %q, want ckpt-1 among them", s.AllModelCheckpointPaths)
	}
}

// TestAHookCannotWaitForItsOwnSave: it would wait for ever.
func TestAHookCannotWaitForItsOwnSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := one(0)
		begun := make(chan *Saving, 1)
		var waited error
		m := newManager(t, c, mem.Dir(), &ManagerOptions{Async: &Async{}, Hooks: &Hooks{AfterCommit: func(ctx context.Context, e Event) {
			waited = (<-begun).Wait(ctx)
		}}})
		s, err := m.Begin(background(), nil)
		must(t, err)
		begun <- s
		must(t, s.Wait(background()))
		if !errors.Is(waited, ErrSaving) {
			t.Errorf("Wait() in a hook = %v, want ErrSaving", waited)
		}
	})
}

// TestATagWithControlCharactersComesBack: it is for JSON to escape.
func TestATagWithControlCharactersComesBack(t *testing.T) {
	dir, tag := savedBy(t, ManagerOptions{}, 1), "a\x1b[31m\n\u2028\"\\"
	if err := Tag(background(), dir, "ckpt-1", tag, strings.Repeat("x", 1<<16)); err != nil {
		t.Fatal(err)
	}
	r, err := ReadReceipt(background(), dir, "ckpt-1")
	if err != nil || r.Tags[0] != tag {
		t.Errorf("Tags = %q (%v), want %q", r.Tags, err, tag)
	}
}

// TestAHalfRemovedCheckpointIsPassedOver: the process died in a sweep, and the
// newest is rejected.
func TestAHalfRemovedCheckpointIsPassedOver(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 3)
	remove(t, dir, "ckpt-2.index")
	must(t, Reject(background(), dir, "ckpt-3", "bad"))
	c, _ := one(0)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick})
	if path, err := m.RestoreOrInitialize(background()); path != "ckpt-1" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want ckpt-1", path, err)
	}
}

// TestABrokenStateFileBringsBackNoNumberUsedAgain: a manager at work knows what
// others had listed, and writes it down again when the state file is broken,
// but not where what has that number now is another's, perhaps nobody's.
func TestABrokenStateFileBringsBackNoNumberUsedAgain(t *testing.T) {
	dir, now := mem.Dir(), at(2000)
	named := func(name string) *Manager {
		c, _ := one(1)
		return newManager(t, c, dir, &ManagerOptions{CheckpointName: name, MaxToKeep: 1, Now: now.tick})
	}
	mustSave(t, named("b"), nil)
	mustSave(t, named("c"), nil)
	a := named("a")
	mustSave(t, a, nil)
	if err := Remove(background(), dir, "b-1"); err != nil {
		t.Fatal(err)
	}
	c, _ := one(2)
	if path, err := c.Save(background(), dir, "b"); path != "b-1" || err != nil {
		t.Fatalf("Checkpoint.Save() = %q, %v, want b-1", path, err)
	}
	writeFile(t, dir, filename.State, "")
	mustSave(t, a, nil)
	s, err := ReadState(background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	wantPaths(t, "listed", s.AllModelCheckpointPaths, "c-1", "a-2")
	mustSave(t, named("b"), nil)
	wantPaths(t, "on disk", onDisk(t, dir), "a-2", "b-1", "b-2", "c-1")
}
