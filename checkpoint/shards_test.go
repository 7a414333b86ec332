package checkpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// stored is an object of one tensor, whatever it is.
type stored struct{ t tensor.Tensor }

func (*stored) TrackableChildren() []trackable.Child { return nil }

func (s *stored) SerializeToTensors() ([]trackable.Attribute, error) {
	return []trackable.Attribute{{Name: "VARIABLE_VALUE", Tensor: s.t}}, nil
}

func (s *stored) RestoreFromTensors(values map[string]tensor.Tensor) error {
	s.t = values["VARIABLE_VALUE"].Clone()
	return nil
}

func made(t *testing.T, value tensor.Tensor, err error) *stored {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return &stored{value}
}

// floats returns an object of n values that differ.
func floats(t *testing.T, shape ...int64) *stored {
	t.Helper()
	n, err := tensor.Shape(shape).NumElements()
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = rand.Float32()
	}
	value, err := tensor.New(shape, values)
	return made(t, value, err)
}

func text(t *testing.T, elems ...string) *stored {
	t.Helper()
	var shape tensor.Shape
	if len(elems) != 1 {
		shape = tensor.Shape{int64(len(elems))}
	}
	value, err := tensor.FromStrings(shape, elems)
	return made(t, value, err)
}

// wantRestored restores path into fresh objects and compares.
func wantRestored(t *testing.T, dir storage.Dir, path string, want Objects) {
	t.Helper()
	fresh := Objects{}
	for name := range want {
		fresh[name] = &stored{}
	}
	status, err := New(nil, fresh, nil).Read(background(), dir, path)
	if err != nil {
		t.Fatalf("Read(%s) = %v", path, err)
	}
	if err := status.AssertConsumed(); err != nil {
		t.Errorf("Read(%s): %v", path, err)
	}
	for name, o := range want {
		if got := fresh[name].(*stored).t; !got.Equal(o.(*stored).t) {
			t.Errorf("%s: restored %s as %v %v", path, name, got.DType(), got.Shape())
		}
	}
}

func write(t *testing.T, dir storage.Dir, path string, objects Objects, p sharding.Policy) {
	t.Helper()
	if err := New(nil, objects, &Options{Sharding: p}).Write(background(), dir, path); err != nil {
		t.Fatalf("Write(%s) = %v", path, err)
	}
}

// dataNames returns the data files of path.
func dataNames(t *testing.T, dir storage.Dir, path string) []string {
	t.Helper()
	return slices.DeleteFunc(listing(t, dir), func(name string) bool { return !strings.HasPrefix(name, path+".data-") })
}

func TestScenario124EightDataFiles(t *testing.T) {
	dir := mem.Dir()
	objects := Objects{"v0": floats(t, 3, 2), "v1": floats(t, 3, 2, 1), "v2": text(t, "eleven byte")}
	path, err := New(nil, objects, &Options{Sharding: sharding.MaxShardSize(10)}).Save(background(), dir, "m")
	if err != nil {
		t.Fatal(err)
	}
	if got := dataNames(t, dir, path); len(got) != 8 {
		t.Errorf("data files are %q, want 8", got)
	}
	fresh := Objects{}
	for name := range objects {
		fresh[name] = &stored{}
	}
	if _, err := New(nil, fresh, nil).Restore(background(), dir, path); err != nil {
		t.Fatal(err)
	}
	for name, o := range objects {
		if got := fresh[name].(*stored).t; !got.Equal(o.(*stored).t) {
			t.Errorf("restored %s as %v %v", name, got.DType(), got.Shape())
		}
	}
	r, err := ReadReceipt(background(), dir, path)
	if err != nil || len(r.Files) != 9 {
		t.Errorf("the receipt lists %v (%v), want 9 files", r.Files, err)
	}
	if err := verify(t, dir, path); err != nil {
		t.Errorf("Verify() = %v", err)
	}
}

func verify(t *testing.T, dir storage.Dir, path string) error {
	t.Helper()
	r, err := Load(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Verify(background(), func(string, int64, error) {})
	return closing(r, err)
}

func TestScenario127TensorsWithoutElementsAreSaved(t *testing.T) {
	dir := mem.Dir()
	objects := Objects{"none": floats(t, 0, 3), "v": floats(t, 2)}
	write(t, dir, "m", objects, sharding.MaxShardSize(4))
	wantRestored(t, dir, "m", objects)
}

// TestScenario129AnyLayoutIsReadIntoAnyOther writes each layout over the one
// before, so that files of other shard counts are in the way.
func TestScenario129AnyLayoutIsReadIntoAnyOther(t *testing.T) {
	objects := Objects{
		"w": floats(t, 7, 5, 3), "b": floats(t, 11), "s": floats(t), "e": floats(t, 0),
		"t": text(t, "one", "", "three", "4"), "u": text(t, "alone"),
	}
	reversed := sharding.Func("one each, from behind", func(tensors []sharding.Tensor) ([]sharding.Shard, error) {
		var shards []sharding.Shard
		for _, t := range slices.Backward(tensors) {
			shards = append(shards, sharding.Shard{t})
		}
		return shards, nil
	})
	dir := mem.Dir()
	policies := []sharding.Policy{nil, sharding.ByWorker(), reversed, sharding.MaxShardSize(3), sharding.MaxShardSize(1 << 20)}
	for limit := int64(4); limit < 600; limit = limit*5/4 + 1 {
		policies = append(policies, sharding.MaxShardSize(limit))
	}
	for _, p := range policies {
		write(t, dir, "m", objects, p)
		wantRestored(t, dir, "m", objects)
		r, err := ReadReceipt(background(), dir, "m")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(dataNames(t, dir, "m")), len(r.Files)-1; got != want {
			t.Errorf("there are %d data files, the checkpoint has %d", got, want)
		}
	}
}

func TestABrokenPolicyFailsTheSaveAndChangesNothing(t *testing.T) {
	dir := mem.Dir()
	loses := sharding.Func("loses", func(tensors []sharding.Tensor) ([]sharding.Shard, error) {
		return []sharding.Shard{tensors[1:]}, nil
	})
	c := New(nil, Objects{"v": floats(t, 2)}, &Options{Sharding: loses})
	_, err := c.Save(background(), dir, "m")
	if want := `save m: sharding policy "loses": v/.ATTRIBUTES/VARIABLE_VALUE: was dropped`; err == nil || err.Error() != want {
		t.Errorf("Save() = %v, want %s", err, want)
	}
	if got := listing(t, dir); len(got) > 0 || c.SaveCounter() != 0 {
		t.Errorf("files are %q and the counter is %d, want none and 0", got, c.SaveCounter())
	}
}

// changing serializes another value each time.
type changing struct {
	stored
	next []tensor.Tensor
}

func (c *changing) SerializeToTensors() ([]trackable.Attribute, error) {
	c.t, c.next = c.next[0], c.next[1:]
	if c.t.DType() == tensor.Invalid {
		return nil, nil
	}
	return c.stored.SerializeToTensors()
}

func TestATensorThatChangesWhileItIsSavedFailsTheSave(t *testing.T) {
	for want, next := range map[string]tensor.Tensor{
		"changed while the checkpoint was written: shape is [3], was [4]": floats(t, 3).t,
		"tensors went away while the checkpoint was written":              {},
	} {
		for _, first := range []bool{true, false} {
			c := &changing{next: []tensor.Tensor{floats(t, 4).t, next}}
			text := want
			if !first {
				slices.Reverse(c.next)
				text = map[bool]string{true: "was [3]", false: "came while the checkpoint was written"}[next.DType() != tensor.Invalid]
			}
			err := New(c, nil, &Options{Sharding: sharding.MaxShardSize(8)}).Write(background(), mem.Dir(), "m")
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("Write() = %v, want %q", err, text)
			}
		}
	}
}

// TestATensorThatGoesAwayIsMissed also where its file has others.
func TestATensorThatGoesAwayIsMissed(t *testing.T) {
	c := &changing{next: []tensor.Tensor{floats(t, 4).t, {}}}
	err := New(c, nil, &Options{Sharding: sharding.ByWorker()}).Write(background(), mem.Dir(), "m")
	if err == nil || !strings.Contains(err.Error(), "tensors went away") {
		t.Errorf("Write() = %v, want tensors gone", err)
	}
}

func TestAShardLargerThanItsLimitIsLogged(t *testing.T) {
	var log strings.Builder
	o := &Options{Sharding: sharding.MaxShardSize(7), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if err := New(nil, Objects{"v": text(t, "eight by")}, o).Write(background(), mem.Dir(), "m"); err != nil {
		t.Fatal(err)
	}
	if want := "v/.ATTRIBUTES/VARIABLE_VALUE: 8 bytes in one piece are more than the 7 of a shard"; !strings.Contains(log.String(), want) {
		t.Errorf("logged %q, want %q", log.String(), want)
	}
}

// sharded returns options under which one's checkpoint has n data files, of 1 to 3.
func sharded(n int) *Options {
	return &Options{Sharding: sharding.Func(fmt.Sprint(n, " files"), func(tensors []sharding.Tensor) ([]sharding.Shard, error) {
		shards := make([]sharding.Shard, n)
		for i, t := range tensors {
			shards[min(i, n-1)] = append(shards[min(i, n-1)], t)
		}
		return shards, nil
	})}
}

func TestSavesOfSeveralDataFilesSurviveACrashAfterEachChange(t *testing.T) {
	run := func(dir storage.Dir, done func()) {
		v := variable(0)
		now := at(1000)
		m, err := NewManager(background(), New(nil, Objects{"v": v}, sharded(3)), dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
		for i := 1; err == nil && i <= 3; i++ {
			v.Value[0] = float32(i)
			if _, err = m.Save(background(), nil); err == nil {
				done()
			}
		}
	}
	check := func(t *testing.T, left storage.Dir, done int) {
		if done > 0 {
			oldOrNew(t, left, done)
		}
		goesOn(t, left, ManagerOptions{MaxToKeep: 1}, done)
		wantPaths(t, "complete", onDisk(t, left), mustLatest(t, left))
	}
	cut(t, func(storage.Dir) {}, run, check)
}

func mustLatest(t *testing.T, dir storage.Dir) string {
	t.Helper()
	path, err := Latest(background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOverwritingWithAnotherShardCountSurvivesACrashAfterEachChange(t *testing.T) {
	for _, from := range []int{1, 2, 3} {
		for _, to := range []int{1, 2, 3} {
			prepare := func(dir storage.Dir) { writeIn(t, dir, from, 1) }
			run := func(dir storage.Dir, done func()) {
				c := New(nil, Objects{"v": variable(2), "w": variable(2)}, sharded(to))
				if c.Write(background(), dir, "m-1") == nil {
					done()
				}
			}
			check := func(t *testing.T, left storage.Dir, done int) {
				if got := value(t, left, "m-1"); got != 2 && (got != 1 || done == 1) {
					t.Errorf("restored %v after %d writes", got, done)
				}
				// The next writer puts right what is not.
				if err := shelf.SettleAt(background(), left, "m-1", receiptFiles); err != nil {
					t.Error(err)
				}
				if done == 1 {
					wantFiles(t, left, to)
				}
				writeIn(t, left, 2, 50)
				if got := value(t, left, "m-1"); got != 50 {
					t.Errorf("restored %v after another write, want 50", got)
				}
				noOrphans(t, left)
				wantFiles(t, left, 2)
			}
			t.Run(fmt.Sprint(from, " to ", to), func(t *testing.T) { cut(t, prepare, run, check) })
		}
	}
}

func writeIn(t *testing.T, dir storage.Dir, files int, v float32) {
	t.Helper()
	// Two tensors would not do for three files.
	if err := New(nil, Objects{"v": variable(v), "w": variable(v)}, sharded(files)).Write(background(), dir, "m-1"); err != nil {
		t.Fatalf("Write() = %v", err)
	}
}

// wantFiles checks that m-1 is all there is, in so many data files.
func wantFiles(t *testing.T, dir storage.Dir, n int) {
	t.Helper()
	var want []string
	for i := range n {
		want = append(want, tensorbundle.DataName("m-1", i, n))
	}
	wantPaths(t, "files", listing(t, dir), append(want, "m-1.index", "m-1.receipt.json")...)
}

func TestManagerSweepsAllDataFiles(t *testing.T) {
	dir := mem.Dir()
	c := New(nil, Objects{"v": variable(0)}, sharded(3))
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	for range 3 {
		mustSave(t, m, nil)
	}
	wantPaths(t, "files", listing(t, dir), "checkpoint", "ckpt-3.data-00000-of-00003", "ckpt-3.data-00001-of-00003",
		"ckpt-3.data-00002-of-00003", "ckpt-3.index", "ckpt-3.receipt.json")
}

// TestOrphansOfAnotherShardCountAreFound: a save that died before its index,
// and left its receipt and data files of another number of shards.
func TestOrphansOfAnotherShardCountAreFound(t *testing.T) {
	dir := mem.Dir()
	c := New(nil, Objects{"v": variable(1), "w": variable(1)}, sharded(3))
	if err := c.Write(background(), &mortal{Dir: dir, left: 3}, "m-1"); !errors.Is(err, errDead) {
		t.Fatalf("Write() = %v, want it dead", err)
	}
	writeIn(t, dir, 2, 50)
	wantFiles(t, dir, 2)
}

// TestSavesOfSeveralDataFilesOnADiskSurviveWhateverFails is that test of plain
// saves over storage/local's own code, with another shard count each time.
func TestSavesOfSeveralDataFilesOnADiskSurviveWhateverFails(t *testing.T) {
	t.Parallel()
	for i := 0; ; i += torture.Thin(5) {
		path := t.TempDir()
		fsys, reached := breaking(i, true)
		done := saveThriceSharded(local.DirOn(fsys, path))
		t.Run(fmt.Sprintf("operation %d fails", i), func(t *testing.T) {
			afterFailure(t, local.DirOn(unflushed{vfs.OS()}, path), done)
		})
		if !reached() {
			break
		}
	}
}

// saveThriceSharded is saveThrice with 3, 1 and 2 data files.
func saveThriceSharded(dir storage.Dir) (done int) {
	files := 0
	p := sharding.Func("3, 1, 2 files", func(tensors []sharding.Tensor) ([]sharding.Shard, error) {
		return sharded(files).Sharding.Shards(tensors)
	})
	v := variable(0)
	m, err := NewManager(background(), New(nil, Objects{"v": v}, &Options{Sharding: p}), dir, &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	if err != nil {
		return 0
	}
	for i, number := range []int64{1, 2, 2} {
		v.Value[0], files = float32(i+1), []int{3, 1, 2}[i]
		if _, err := m.Save(background(), &SaveOptions{CheckpointNumber: &number}); err == nil {
			done = i + 1
		}
	}
	// An error of Close is about what could not be removed.
	_ = m.Close(background())
	return done
}
