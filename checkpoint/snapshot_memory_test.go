package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// graded returns a Checkpoint of 10 variables of 100, 200 ... 1000 bytes, and
// what gives all of them a value.
func graded(o *Options) (c *Checkpoint, all []*variableF, set func(float32)) {
	objects := Objects{}
	for i := range 10 {
		v := variable(make([]float32, 25*(i+1))...)
		objects[fmt.Sprint("v", i)], all = v, append(all, v)
	}
	return New(nil, objects, o), all, func(x float32) {
		for _, v := range all {
			for i := range v.Value {
				v.Value[i] = x
			}
		}
	}
}

const gradedBytes = 5500

// TestASnapshotThatDoesNotFitIsOfTheMomentOfTheCallToo: when the call has
// returned the objects may change, however little of them could be copied.
func TestASnapshotThatDoesNotFitIsOfTheMomentOfTheCallToo(t *testing.T) {
	for _, limit := range []int64{1, 500, 1000, gradedBytes / 2, gradedBytes, 3 * gradedBytes} {
		for _, policy := range []sharding.Policy{nil, sharding.MaxShardSize(1000)} {
			for name, kind := range asyncKinds {
				t.Run(fmt.Sprintf("%d bytes %v %s", limit, policy != nil, name), func(t *testing.T) {
					dir := mem.Dir()
					c, all, set := graded(&Options{Async: &Async{Queue: 1}, SnapshotMemory: limit, Sharding: policy})
					save, sync := kind(t, c, dir)
					var paths []string
					for step := range 3 {
						set(float32(step))
						paths = append(paths, save(int64(step+1)))
						set(-1)
					}
					sync()
					for step, path := range paths {
						if _, err := c.Restore(background(), dir, path); err != nil {
							t.Fatal(err)
						}
						for i, v := range all {
							if slices.ContainsFunc(v.Value, func(x float32) bool { return x != float32(step) }) {
								t.Errorf("%s: variable %d is %v, want %d everywhere", path, i, v.Value, step)
							}
						}
					}
					if n := c.snapshots.InUse(); n != 0 {
						t.Errorf("%d bytes of copies are left", n)
					}
				})
			}
		}
	}
}

// TestACallWaitsForWhatItCannotCopy, and no longer.
func TestACallWaitsForWhatItCannotCopy(t *testing.T) {
	for _, limit := range []int64{1, gradedBytes / 2, gradedBytes + 8} { // and the save counter
		synctest.Test(t, func(t *testing.T) {
			dir := newGated()
			c, _, _ := graded(&Options{SnapshotMemory: limit})
			m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}})
			returned := false
			go func() {
				mustSave(t, m, nil)
				returned = true
				if n := c.snapshots.InUse(); n > limit {
					t.Errorf("copies have %d bytes, want %d at most", n, limit)
				}
			}()
			synctest.Wait()
			if want := limit > gradedBytes; returned != want {
				t.Errorf("limit %d: the call has returned: %v, want %v", limit, returned, want)
			}
			dir.let(1)
			synctest.Wait()
			if !returned {
				t.Errorf("limit %d: the call has not returned when all was written", limit)
			}
			mustSync(t, m)
		})
	}
}

// TestACallThatWaitsForTheWritingEndsWithItsContext, and tells so once.
func TestACallThatWaitsForTheWritingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _, set := graded(&Options{SnapshotMemory: 1})
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}})
		ctx, cancel := context.WithCancel(background())
		var failed error
		go func() { _, failed = m.Save(ctx, nil) }()
		synctest.Wait()
		cancel()
		dir.let(1) // what was begun learns it when it goes on
		synctest.Wait()
		if !errors.Is(failed, context.Canceled) {
			t.Errorf("Save = %v, want context.Canceled", failed)
		}
		if list, err := List(background(), dir, nil); err != nil || len(list) > 0 {
			t.Errorf("there are %v, %v, want none", list, err)
		}
		set(2)
		dir.let(1)
		if got := mustSave(t, m, nil); got != "ckpt-2" {
			t.Errorf("the next is %s, want ckpt-2", got)
		}
		mustSync(t, m)
	})
}

// TestACallWhoseWritingFailsReturns, and the error is the save's.
func TestACallWhoseWritingFailsReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newGated()
		c, _, _ := graded(&Options{SnapshotMemory: 1})
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}})
		broken := errors.New("broken")
		dir.pass <- broken
		s, err := m.Begin(background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(background()); !errors.Is(err, broken) {
			t.Errorf("Wait = %v, want %v", err, broken)
		}
		dir.let(1)
		mustSave(t, m, nil)
		mustSync(t, m)
	})
}

// unwilling cannot be serialized the second time.
type unwilling struct {
	*variableF
	asked int
}

var errUnwilling = errors.New("not now")

func (u *unwilling) SerializeToTensors() ([]trackable.Attribute, error) {
	if u.asked++; u.asked > 1 {
		return nil, errUnwilling
	}
	return u.variableF.SerializeToTensors()
}

func TestAnObjectThatFailsWhileTheCallWaitsFailsTheSave(t *testing.T) {
	for _, limit := range []int64{1, gradedBytes} {
		dir := storage.Dir(mem.Dir())
		c, _, _ := graded(&Options{SnapshotMemory: limit})
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}})
		mustSave(t, m, nil)
		mustSync(t, m)
		c.Track("w", &unwilling{variableF: variable(1), asked: 1})
		if path, err := m.Save(background(), nil); path != "" || !errors.Is(err, errUnwilling) {
			t.Errorf("Save = %q, %v, want %v", path, err, errUnwilling)
		}
		mustSync(t, m) // it was told
		if got := onDisk(t, dir); !slices.Equal(got, []string{"ckpt-1"}) {
			t.Errorf("there are %v, want ckpt-1", got)
		}
	}
}

// stuck is a Dir whose data files take so many bytes and then wait.
type stuck struct {
	storage.Dir
	after int
	goOn  chan struct{}
}

func (s *stuck) Create(ctx context.Context, name string) (storage.Pending, error) {
	p, err := s.Dir.Create(ctx, name)
	if err != nil || name != "ckpt-1.data-00000-of-00001" {
		return p, err
	}
	return &stuckFile{p, s, 0}, nil
}

type stuckFile struct {
	storage.Pending
	s       *stuck
	written int
}

func (f *stuckFile) Write(b []byte) (int, error) {
	if f.written >= f.s.after {
		<-f.s.goOn
	}
	f.written += len(b)
	return f.Pending.Write(b)
}

// TestACallWaitsForTheBeginningOfTheFile, and leaves the end to its copies.
func TestACallWaitsForTheBeginningOfTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := &stuck{mem.Dir(), 2800, make(chan struct{})} // 100 + 200 ... + 700
		c, _, _ := graded(&Options{SnapshotMemory: 2750})
		m := newManager(t, c, dir, &ManagerOptions{Async: &Async{}})
		returned := false
		go func() { mustSave(t, m, nil); returned = true }()
		synctest.Wait()
		if !returned {
			t.Error("the call waits for tensors that there is room for")
		}
		close(dir.goOn)
		synctest.Wait()
		mustSync(t, m)
	})
}

// TestASaveThatFailsAtOnceIsNoEarlierOne: it may be over before the call that
// began it returns, and is then told by its handle, Sync or the next save.
//
// Proves D13.
func TestASaveThatFailsAtOnceIsNoEarlierOne(t *testing.T) {
	broken := errors.New("broken")
	for name, save := range map[string]func(c *Checkpoint, m *Manager, dir storage.Dir) error{
		"Manager.Save": func(_ *Checkpoint, m *Manager, _ storage.Dir) error { _, err := m.Save(background(), nil); return err },
		"Checkpoint.Save": func(c *Checkpoint, _ *Manager, d storage.Dir) error {
			_, err := c.Save(background(), d, "s")
			return err
		},
		"Checkpoint.SaveAs": func(c *Checkpoint, _ *Manager, d storage.Dir) error { return c.SaveAs(background(), d, "as", nil) },
		"Checkpoint.Write":  func(c *Checkpoint, _ *Manager, d storage.Dir) error { return c.Write(background(), d, "w") },
	} {
		dir := newGated()
		c, _, _ := graded(&Options{Async: &Async{}, SnapshotMemory: 1}) // the call waits until it has failed
		m := newManager(t, c, dir, nil)
		dir.pass <- broken
		if err := save(c, m, dir); err != nil {
			t.Errorf("%s = %v, want nil", name, err)
		}
		if err := c.Sync(background()); !errors.Is(err, broken) {
			t.Errorf("%s: Sync() = %v, want %v", name, err, broken)
		}
	}
}
