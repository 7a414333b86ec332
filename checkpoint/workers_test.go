package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// team runs do as each of n workers at once, and returns their errors.
func team(n int, do func(g coordinator.Group) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, g := range coordinator.InProcess(n) {
		all.Go(func() { errs[i] = do(g) })
	}
	all.Wait()
	return errs
}

func mustTeam(t *testing.T, n int, do func(g coordinator.Group) error) {
	t.Helper()
	for rank, err := range team(n, do) {
		if err != nil {
			t.Fatalf("worker %d: %v", rank, err)
		}
	}
}

// copies returns objects that are equal to those given.
func copies(objects Objects) Objects {
	same := Objects{}
	for name, o := range objects {
		same[name] = &stored{o.(*stored).t.Clone()}
	}
	return same
}

func TestScenario119ShardsByWorker(t *testing.T) {
	dir := mem.Dir()
	objects := Objects{"v0": floats(t, 2), "v1": floats(t, 2), "v2": floats(t, 2)}
	mustTeam(t, 3, func(g coordinator.Group) error {
		return New(nil, copies(objects), &Options{Workers: g}).Write(background(), dir, "m")
	})
	wantShards(t, dir, "m", "v0/.ATTRIBUTES/VARIABLE_VALUE", "v1/.ATTRIBUTES/VARIABLE_VALUE", "v2/.ATTRIBUTES/VARIABLE_VALUE", trackable.GraphKey)
	wantRestored(t, dir, "m", objects)
	if err := verify(t, dir, "m"); err != nil {
		t.Errorf("Verify() = %v", err)
	}
}

// wantShards checks the names of the tensors in each data file.
func wantShards(t *testing.T, dir storage.Dir, path string, want ...string) {
	t.Helper()
	r, err := Load(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, r.Shards())
	for _, name := range r.Names() {
		e, err := r.Entry(name)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Shard] = strings.TrimSpace(got[e.Shard] + " " + name)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("data files have %q, want %q", got, want)
	}
}

// piece is a variable of which a worker has a slice.
type piece struct {
	stored
	slice *tensor.Slice
	full  tensor.Shape
}

func (p *piece) SerializeToTensors() ([]trackable.Attribute, error) {
	return []trackable.Attribute{{Name: "VARIABLE_VALUE", Tensor: p.t, Slice: p.slice, Full: p.full}}, nil
}

func TestScenario129AnyNumberOfWorkersIntoAnyOther(t *testing.T) {
	whole := Objects{"big": floats(t, 12, 3), "w": floats(t, 5), "s": text(t, "a", "b"), "e": floats(t, 0)}
	dir := mem.Dir()
	for _, n := range []int{1, 2, 3, 4, 6} {
		for _, p := range []sharding.Policy{nil, sharding.MaxShardSize(20), sharding.MaxShardSize(64)} {
			mustTeam(t, n, func(g coordinator.Group) error {
				mine := copies(whole)
				rows := int64(12 / n)
				region := &tensor.Slice{Start: []int64{rows * int64(g.Rank()), 0}, Length: []int64{rows, 3}}
				value, err := whole["big"].(*stored).t.Slice(*region)
				if err != nil {
					return err
				}
				mine["big"] = &piece{stored{value}, region, tensor.Shape{12, 3}}
				return New(nil, mine, &Options{Workers: g, Sharding: p}).Write(background(), dir, "m")
			})
			wantRestored(t, dir, "m", whole)
			r, err := ReadReceipt(background(), dir, "m")
			if err != nil || len(r.Files)-1 != len(dataNames(t, dir, "m")) {
				t.Errorf("%d workers: the receipt lists %v (%v), there are %q", n, r.Files, err, dataNames(t, dir, "m"))
			}
		}
	}
}

// TestScenario132TwoWorkersOneDirectory: TensorFlow's second worker would save
// into workertemp_1 beside it and remove that again. Ours writes its part.
func TestScenario132TwoWorkersOneDirectory(t *testing.T) {
	dir := mem.Dir()
	var mu sync.Mutex
	paths, lists := map[int][]string{}, map[int][]string{}
	mustTeam(t, 2, func(g coordinator.Group) error {
		v, w := variable(1), variable(2)
		c := New(nil, Objects{"v": v, "w": w}, &Options{Workers: g})
		m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 2, Now: at(1000).tick})
		if err != nil {
			return err
		}
		for i := range 3 {
			v.Value[0], w.Value[0] = float32(10+i), float32(20+i)
			path, err := m.Save(background(), nil)
			if err != nil {
				return err
			}
			mu.Lock()
			paths[g.Rank()] = append(paths[g.Rank()], fmt.Sprint(path, " ", c.SaveCounter(), " ", m.LatestCheckpoint()))
			lists[g.Rank()] = m.Checkpoints()
			mu.Unlock()
		}
		return m.Close(background())
	})
	for rank := range 2 {
		wantPaths(t, "saves", paths[rank], "ckpt-1 1 ckpt-1", "ckpt-2 2 ckpt-2", "ckpt-3 3 ckpt-3")
		wantPaths(t, "Checkpoints()", lists[rank], "ckpt-2", "ckpt-3")
	}
	for _, name := range listing(t, dir) {
		if name != "checkpoint" && !strings.HasPrefix(name, "ckpt-2.") && !strings.HasPrefix(name, "ckpt-3.") {
			t.Errorf("there is %s", name)
		}
	}
	v, w := variable(0), variable(0)
	if _, err := New(nil, Objects{"v": v, "w": w}, nil).Restore(background(), dir, "ckpt-3"); err != nil {
		t.Fatal(err)
	}
	if v.Value[0] != 12 || w.Value[0] != 22 {
		t.Errorf("restored %v and %v, want 12 and 22", v.Value, w.Value)
	}
}

// faltering is an object that cannot be serialized for a while.
type faltering struct {
	stored
	fail bool
}

var errSerialize = errors.New("no values today")

func (f *faltering) SerializeToTensors() ([]trackable.Attribute, error) {
	if f.fail {
		return nil, errSerialize
	}
	return f.stored.SerializeToTensors()
}

// TestOneWorkersFailureFailsTheSaveForAll: with any worker failing in any of
// several ways nothing changes, and the next save succeeds.
func TestOneWorkersFailureFailsTheSaveForAll(t *testing.T) {
	value := floats(t, 3).t
	for _, way := range []string{"serialize", "busy", "create", "counter", "other objects", "other shape"} {
		for bad := range 3 {
			t.Run(fmt.Sprint(way, " of worker ", bad), func(t *testing.T) {
				dir := mem.Dir()
				failures := make([]error, 3)
				mustTeam(t, 3, func(g coordinator.Group) error {
					is := g.Rank() == bad
					v := &faltering{stored{value}, false}
					place := &mortal{Dir: dir, left: -1}
					c := New(nil, Objects{"v": v, "w": floats(t, 1)}, &Options{Workers: g})
					m, err := NewManager(background(), c, place, &ManagerOptions{Now: at(1000).tick})
					if err != nil {
						return err
					}
					if _, err := m.Save(background(), nil); err != nil {
						return err
					}
					undo := func() {}
					if is {
						undo = spoil(t, way, v, place, c)
					}
					_, failures[g.Rank()] = m.Save(background(), nil)
					undo()
					if got := m.Checkpoints(); len(got) != 1 || c.SaveCounter() != 1 {
						return fmt.Errorf("after the failure there are %q and the counter is %d", got, c.SaveCounter())
					}
					_, err = m.Save(background(), nil)
					return alsoFailed(err, m.Close(background()))
				})
				for rank, err := range failures {
					text := map[bool]string{true: "save", false: fmt.Sprint("worker ", bad, ": ")}[rank == bad]
					if strings.HasPrefix(way, "other") {
						text = "worker " // which of two that differ is wrong nobody knows
					}
					if err == nil || !strings.Contains(err.Error(), text) {
						t.Errorf("worker %d: Save() = %v, want an error with %q", rank, err, text)
					}
				}
				noOrphans(t, dir)
				wantPaths(t, "checkpoints", onDisk(t, dir), "ckpt-1", "ckpt-2")
			})
		}
	}
}

// spoil lets a worker fail.
func spoil(t *testing.T, way string, v *faltering, place *mortal, c *Checkpoint) (undo func()) {
	switch way {
	case "serialize":
		v.fail = true
		return func() { v.fail = false }
	case "busy":
		c.busy.Lock()
		return c.busy.Unlock
	case "create":
		place.kill(true)
		return func() { place.kill(false) }
	case "counter":
		was := child(c, counterName)
		c.Track(counterName, floats(t, 1))
		return func() { c.Track(counterName, was) }
	case "other objects":
		c.Track("x", floats(t, 1))
		return func() { c.Untrack("x") }
	}
	was := v.t
	v.t = floats(t, 4).t
	return func() { v.t = was }
}

func (m *mortal) kill(dead bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = dead
}

func TestSlicesThatAreNotAllOfAVariableFailTheSave(t *testing.T) {
	dir := mem.Dir()
	for want, rows := range map[string][]int64{
		"they hold 6 of its 9 elements": {0, 1},
		"overlapping slices":            {0, 0, 2},
	} {
		errs := team(2, func(g coordinator.Group) error {
			length := int64(1)
			if len(rows) == 3 {
				length += int64(g.Rank())
			}
			region := &tensor.Slice{Start: []int64{rows[g.Rank()], 0}, Length: []int64{length, 3}}
			value, err := floats(t, 3, 3).t.Slice(*region)
			if err != nil {
				return err
			}
			p := &piece{stored{value}, region, tensor.Shape{3, 3}}
			return New(nil, Objects{"v": p}, &Options{Workers: g}).Write(background(), dir, "m")
		})
		for rank, err := range errs {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("worker %d: Write() = %v, want %q", rank, err, want)
			}
		}
	}
	wantPaths(t, "files", listing(t, dir))
}

func TestAWorkerThatLeavesHangsNobody(t *testing.T) {
	dir := mem.Dir()
	gone, leave := context.WithCancel(background())
	leave()
	errs := team(3, func(g coordinator.Group) error {
		ctx := background()
		if g.Rank() == 2 {
			ctx = gone
		}
		return New(nil, Objects{"v": variable(1)}, &Options{Workers: g}).Write(ctx, dir, "m")
	})
	for rank, want := range []error{coordinator.ErrLeft, coordinator.ErrLeft, context.Canceled} {
		if !errors.Is(errs[rank], want) {
			t.Errorf("worker %d: Write() = %v, want %v", rank, errs[rank], want)
		}
	}
	wantPaths(t, "files", listing(t, dir))
}

func TestWorkersAgreeThatNoSaveIsDue(t *testing.T) {
	dir := mem.Dir()
	mustTeam(t, 2, func(g coordinator.Group) error {
		step := int64(1)
		c := New(nil, Objects{"v": variable(1)}, &Options{Workers: g})
		m, err := NewManager(background(), c, dir, &ManagerOptions{CheckpointInterval: 2, StepCounter: func() int64 { return step }, Now: at(1000).tick})
		if err != nil {
			return err
		}
		for _, want := range []string{"ckpt-1", "", "ckpt-2", ""} {
			got, err := m.Save(background(), nil)
			if err != nil || got != want {
				return fmt.Errorf("Save() at step %d = %q, %v, want %q", step, got, err, want)
			}
			step++
		}
		return m.Close(background())
	})
}

// TestSavesOfWorkersSurviveACrashAfterEachChange: what a crash of all workers
// leaves is taken up by one, or by another number of them.
func TestSavesOfWorkersSurviveACrashAfterEachChange(t *testing.T) {
	run := func(explicit *int64) func(dir storage.Dir, done func()) {
		return func(dir storage.Dir, done func()) {
			for _, err := range team(2, func(g coordinator.Group) error {
				v := variable(0)
				c := New(nil, Objects{"v": v}, &Options{Workers: g})
				m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
				for i := 1; err == nil && i <= 3; i++ {
					v.Value[0] = float32(i)
					if _, err = m.Save(background(), &SaveOptions{CheckpointNumber: explicit}); err == nil && g.Rank() == 0 {
						done()
					}
				}
				return err
			}) {
				if err != nil && !strings.Contains(err.Error(), errDead.Error()) {
					panic(err)
				}
			}
		}
	}
	check := func(t *testing.T, left storage.Dir, done int) {
		if done > 0 {
			oldOrNew(t, left, done)
		}
		goesOn(t, left, ManagerOptions{MaxToKeep: 1}, done)
	}
	t.Run("new numbers", func(t *testing.T) { cut(t, func(storage.Dir) {}, run(nil), check) })
	t.Run("one number again and again", func(t *testing.T) { cut(t, func(storage.Dir) {}, run(number64(3)), check) })
}

func TestAsyncAndWorkersAreRefused(t *testing.T) {
	g := coordinator.InProcess(2)[0]
	c := New(nil, Objects{"v": variable(1)}, &Options{Workers: g})
	if _, err := NewManager(background(), c, mem.Dir(), &ManagerOptions{Async: &Async{}}); !errors.Is(err, errAsyncWorkers) {
		t.Errorf("NewManager() = %v, want %v", err, errAsyncWorkers)
	}
	alone := New(nil, Objects{"v": variable(1)}, &Options{Workers: coordinator.Solo(), Async: &Async{}})
	if _, err := alone.Save(background(), mem.Dir(), "m"); err != nil {
		t.Errorf("Save() of one worker = %v", err)
	}
}

// TestWorkersOnADisk lets each have a Dir of its own of one directory, as
// processes would.
func TestWorkersOnADisk(t *testing.T) {
	place := t.TempDir()
	objects := Objects{"v": floats(t, 9), "w": floats(t, 4, 4), "s": text(t, "a", "bc")}
	mustTeam(t, 3, func(g coordinator.Group) error {
		c := New(nil, copies(objects), &Options{Workers: g, Sharding: sharding.MaxShardSize(24)})
		for range 2 { // the second replaces the first
			if err := c.Write(background(), local.Dir(place), "m"); err != nil {
				return err
			}
		}
		return nil
	})
	wantRestored(t, local.Dir(place), "m", objects)
	if err := verify(t, local.Dir(place), "m"); err != nil {
		t.Errorf("Verify() = %v", err)
	}
}
