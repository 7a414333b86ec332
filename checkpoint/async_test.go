package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"

	"github.com/ckpt-dev/ckpt/internal/filename"
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
	number, _ := filename.NumberOf("ckpt", path)
	if c.SaveCounter() != number || r.SaveCounter != number {
		t.Errorf("%s has save counter %d, its receipt %d, want %d", path, c.SaveCounter(), r.SaveCounter, number)
	}
}

// TestScenario112OneWriteAtATimeInOrder: with TensorFlow's queue, which has
// no room to wait in, a save waits for the writing of the one before.
func TestScenario112OneWriteAtATimeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, v := one(0)
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}})
		returned, end := 0, make(chan struct{})
		go func() {
			defer close(end)
			for n := range 4 {
				v.Value[0] = float32(n)
				if _, err := m.Save(background(), nil); err != nil {
					t.Error(err)
				}
				returned++
			}
		}()
		for n := range 4 {
			synctest.Wait()
			if want := min(n+1, 4); returned != want {
				t.Errorf("with %d written, %d saves have returned, want %d", n, returned, want)
			}
			wantPaths(t, "on disk", onDisk(t, dir.Dir), numbers(n)...)
			dir.let(1)
		}
		<-end
		mustSync(t, m)
		for n := range 4 {
			if got, want := <-dir.entered, fmt.Sprint("ckpt-", n+1); got != want {
				t.Errorf("written as number %d: %s, want %s", n, got, want)
			}
			if got := value(t, dir.Dir, fmt.Sprint("ckpt-", n+1)); got != float32(n) {
				t.Errorf("ckpt-%d has %v, want %d", n+1, got, n)
			}
		}
		if dir.top != 1 {
			t.Errorf("%d saves were written at a time, want 1", dir.top)
		}
	})
}

// numbers returns ckpt-1 to ckpt-n.
func numbers(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint("ckpt-", i+1))
	}
	return list
}

// TestScenario115RestoreWaitsForPendingWrites, as do Read and
// RestoreOrInitialize, which TensorFlow lets initialize anew (P28).
func TestScenario115RestoreWaitsForPendingWrites(t *testing.T) {
	restores := map[string]func(*Manager) error{
		"Restore": func(m *Manager) error { _, err := m.c.Restore(background(), m.dir, "ckpt-1"); return err },
		"Read":    func(m *Manager) error { _, err := m.c.Read(background(), m.dir, "ckpt-1"); return err },
		"RestoreOrInitialize": func(m *Manager) error {
			path, err := m.RestoreOrInitialize(background())
			if path != "ckpt-1" {
				err = errors.Join(err, fmt.Errorf("path %q", path))
			}
			return err
		},
	}
	for name, restore := range restores {
		synctest.Test(t, func(t *testing.T) {
			dir := newGated()
			c, v := one(1)
			m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}, InitFn: func(context.Context) error {
				return errors.New("InitFn was called")
			}})
			mustSave(t, m, nil)
			v.Value[0] = 2
			var err error
			ended := make(chan struct{})
			go func() { err = restore(m); close(ended) }()
			synctest.Wait()
			select {
			case <-ended:
				t.Errorf("%s did not wait: %v", name, err)
			default:
			}
			dir.let(1)
			<-ended
			if err != nil || v.Value[0] != 1 {
				t.Errorf("%s: %v, value %v, want 1", name, err, v.Value[0])
			}
		})
	}
}

// TestScenario116NumbersGoOnAfterARestart, whether or not the new process
// restores; TensorFlow's begin at 1 again, over what is there (P26).
func TestScenario116NumbersGoOnAfterARestart(t *testing.T) {
	for _, restores := range []bool{false, true} {
		dir := mem.Dir()
		for run := range 3 {
			c, _ := one(1)
			m, err := NewManager(background(), c, dir, &ManagerOptions{Async: &Async{Queue: 1}})
			if err != nil {
				t.Fatal(err)
			}
			if restores {
				if _, err := m.RestoreOrInitialize(background()); err != nil {
					t.Fatal(err)
				}
			}
			for n := range 3 {
				if got, want := mustSave(t, m, nil), fmt.Sprint("ckpt-", 3*run+n+1); got != want {
					t.Errorf("run %d, restores %v: Save() = %s, want %s", run, restores, got, want)
				}
			}
			if err := m.Close(background()); err != nil {
				t.Fatal(err)
			}
			if got, want := m.LatestCheckpoint(), fmt.Sprint("ckpt-", 3*run+3); got != want || savedCounter(t, dir, got) != int64(3*run+3) {
				t.Errorf("run %d: latest is %s with save counter %d, want %s", run, got, savedCounter(t, dir, got), want)
			}
		}
	}
}

// savedCounter returns the save counter in a checkpoint.
func savedCounter(t *testing.T, dir storage.Dir, path string) int64 {
	t.Helper()
	c, _ := one(0)
	if _, err := c.Restore(background(), dir, path); err != nil {
		t.Fatal(err)
	}
	return c.SaveCounter()
}

// TestScenario117ObjectMadeAfterTheFirstAsyncSave: it is in the snapshot like
// all others; TensorFlow writes it as it is when its turn comes (P27).
func TestScenario117ObjectMadeAfterTheFirstAsyncSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{Queue: 3}})
		mustSave(t, m, nil)
		late := newEverything()
		c.Track("e", late)
		late.set(5)
		path := mustSave(t, m, nil)
		late.set(6)
		dir.let(2)
		mustSync(t, m)
		got := newEverything()
		if _, err := New(nil, Objects{"v": variable(0), "e": got}, nil).Restore(background(), dir, path); err != nil {
			t.Fatal(err)
		}
		late.set(5)
		if got.String() != late.String() {
			t.Errorf("%s has %v, want %v", path, got, late)
		}
	})
}

func TestScenario118CloseDrainsPendingWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _ := one(1)
		m, err := NewManager(background(), c, dir, &ManagerOptions{Async: &Async{Queue: 9}})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			mustSave(t, m, nil)
		}
		ended, cancel := context.WithCancel(background())
		cancel()
		if err := m.Close(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("Close() = %v, want context.Canceled", err)
		}
		if _, err := m.Save(background(), nil); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Save() after Close = %v, want fs.ErrClosed", err)
		}
		dir.let(3)
		for range 2 {
			if err := m.Close(background()); err != nil {
				t.Errorf("Close() = %v, want nil", err)
			}
		}
		wantPaths(t, "on disk", onDisk(t, dir.Dir), "ckpt-1", "ckpt-2", "ckpt-3")
		if got := m.LatestCheckpoint(); got != "ckpt-3" {
			t.Errorf("LatestCheckpoint() = %q, want ckpt-3", got)
		}
		synctest.Wait() // no goroutine may be left: the bubble would not end
	})
}

// TestAnAsyncSaveWritesTheSameBytes as a synchronous one, which TensorFlow is
// known to read.
func TestAnAsyncSaveWritesTheSameBytes(t *testing.T) {
	var files [2]string
	for i, async := range []*Async{nil, {}} {
		e, dir := newEverything(), mem.Dir()
		e.set(7)
		m := newManager(t, New(nil, Objects{"e": e}, nil), dir, &ManagerOptions{Async: async, Now: at(1000).now})
		mustSave(t, m, nil)
		mustSync(t, m)
		for _, name := range listing(t, dir) {
			files[i] += name + "\n" + readFile(t, dir, name) + "\n"
		}
	}
	if files[0] != files[1] {
		t.Errorf("an asynchronous save wrote\n%q, a synchronous one\n%q", files[1], files[0])
	}
}
