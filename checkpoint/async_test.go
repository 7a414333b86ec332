package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestScenario038SyncWithoutAsyncWork(t *testing.T) {
	c, _ := one(1)
	m := newManager(t, c, mem.Dir(), nil)
	ended, cancel := context.WithCancel(background())
	cancel() // nothing is waited for
	for range 2 {
		if err := errors.Join(m.Sync(ended), c.Sync(ended)); err != nil {
			t.Errorf("Sync() = %v, want nil", err)
		}
		mustSave(t, m, nil)
	}
}

func TestScenario109AsyncSaveChangeRestore(t *testing.T) {
	c, v := one(0)
	m := newManager(t, c, mem.Dir(), &ManagerOptions{Async: &Async{}})
	for cycle := range 2 {
		v.Value[0] = float32(10 + cycle)
		path := mustSave(t, m, nil)
		mustSync(t, m)
		v.Value[0] = -1
		if _, err := c.Restore(background(), m.Directory(), path); err != nil {
			t.Fatal(err)
		}
		if got, want := v.Value[0], float32(10+cycle); got != want {
			t.Errorf("cycle %d: restored %v, want %v", cycle, got, want)
		}
	}
}

// asyncKinds are the ways to save asynchronously at once.
var asyncKinds = map[string]func(t *testing.T, c *Checkpoint, dir storage.Dir) (save func(step int64) string, sync func()){
	"Manager.Save": func(t *testing.T, c *Checkpoint, dir storage.Dir) (func(int64) string, func()) {
		m := newManager(t, c, dir, nil)
		return func(step int64) string { return mustSave(t, m, &SaveOptions{CheckpointNumber: &step}) }, func() { mustSync(t, m) }
	},
	"Checkpoint.Write": func(t *testing.T, c *Checkpoint, dir storage.Dir) (func(int64) string, func()) {
		return func(step int64) string {
			path := fmt.Sprint("ckpt-", step)
			if err := c.Write(background(), dir, path); err != nil {
				t.Errorf("Write(%s): %v", path, err)
			}
			return path
		}, func() { mustSync(t, c) }
	},
}

// TestScenario110StepNumbersAtOnce: the paths are returned before anything is
// written.
func TestScenario110StepNumbersAtOnce(t *testing.T) {
	for name, kind := range asyncKinds {
		synctest.Test(t, func(t *testing.T) {
			dir := newGated()
			v := variable(0)
			save, sync := kind(t, New(nil, Objects{"v": v}, &Options{Async: &Async{Queue: 9}}), dir)
			for step := int64(0); step < 10; step += 2 {
				v.Value[0] = float32(step)
				if got, want := save(step), fmt.Sprint("ckpt-", step); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			wantPaths(t, "before the writing", listing(t, dir.Dir))
			dir.let(5)
			sync()
			wantPaths(t, "on disk", onDisk(t, dir.Dir), "ckpt-0", "ckpt-2", "ckpt-4", "ckpt-6", "ckpt-8")
			for step := 0; step < 10; step += 2 {
				if got := value(t, dir.Dir, fmt.Sprint("ckpt-", step)); got != float32(step) {
					t.Errorf("%s: ckpt-%d has %v", name, step, got)
				}
			}
		})
	}
}

// everything is an object with all kinds of children.
type everything struct {
	trackable.Node
	number  *trackable.Variable[float64]
	text    *trackable.StringVariable
	moments *trackable.Variable[float64]
	state   words
}

// words are what State saves.
type words struct{ text []byte }

func (w *words) MarshalBinary() ([]byte, error)    { return w.text, nil }
func (w *words) UnmarshalBinary(data []byte) error { w.text = append([]byte(nil), data...); return nil }

func newEverything() *everything {
	e := &everything{
		number:  trackable.NewVariable("n", []int64{2}, []float64{0, 0}),
		text:    &trackable.StringVariable{Name: "t", Shape: []int64{1}, Value: []string{""}},
		moments: trackable.NewVariable("m", []int64{2}, []float64{0, 0}),
	}
	e.Track("number", e.number).Track("text", e.text).Track("state", trackable.State(&e.state))
	e.Track("optimizer", &momentum{of: e})
	return e
}

// momentum is an optimizer with one slot.
type momentum struct {
	trackable.Node
	of *everything
}

func (m *momentum) Slots() []trackable.Slot {
	return []trackable.Slot{{Name: "m", Variable: m.of.number, Value: m.of.moments}}
}

func (m *momentum) MakeSlot(trackable.Object, string) (trackable.Object, error) { return nil, nil }

// set changes every value in place.
func (e *everything) set(n int) {
	e.number.Value[1], e.moments.Value[1] = float64(n), float64(-n)
	e.text.Value[0] = fmt.Sprint("text ", n)
	e.state.text = fmt.Appendf(e.state.text[:0], "state %d", n)
}

func (e *everything) String() string {
	return fmt.Sprint(e.number.Value, e.moments.Value, e.text.Value, string(e.state.text))
}

// TestScenario111ValuesOfTheCall: all objects change while the write stands
// still, and what is written is what they were, save counter included.
func TestScenario111ValuesOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, e := newGated(), newEverything()
		c := New(nil, Objects{"e": e}, nil)
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{Queue: 9}})
		for n := range 5 {
			e.set(n)
			mustSave(t, m, nil)
		}
		e.set(99)
		dir.let(5)
		mustSync(t, m)
		for n := range 5 {
			wantEverything(t, dir.Dir, fmt.Sprint("ckpt-", n+1), n)
		}
	})
}

func wantEverything(t *testing.T, dir storage.Dir, path string, n int) {
	t.Helper()
	want, got := newEverything(), newEverything()
	want.set(n)
	c := New(nil, Objects{"e": got}, nil)
	status, err := c.Restore(background(), dir, path)
	if err == nil {
		err = status.AssertConsumed()
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if got.String() != want.String() {
		t.Errorf("%s has %v, want %v", path, got, want)
	}
	r, err := ReadReceipt(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	number, _ := numberOf("ckpt", path)
	if c.SaveCounter() != number || r.SaveCounter != number {
		t.Errorf("%s has save counter %d, its receipt %d, want %d", path, c.SaveCounter(), r.SaveCounter, number)
	}
}
