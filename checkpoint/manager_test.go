package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// The numbers are those of the list of scenarios that the design started from:
// what TensorFlow's own tests say, and what its source says where they do not.

func TestScenario001KeepThreeOfFour(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 3})
	for _, want := range []string{"ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4"} {
		if got := mustSave(t, m, nil); got != want {
			t.Errorf("Save() = %q, want %q", got, want)
		}
	}
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-2", "ckpt-3", "ckpt-4")
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-3", "ckpt-4")
}

func TestScenario002KeepAllThenFewer(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	o := &ManagerOptions{Now: now.tick}
	m := newManager(t, c, dir, o)
	for range 3 {
		mustSave(t, m, nil)
	}
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3")
	m = newManager(t, c, dir, o)
	mustSave(t, m, nil)
	wantPaths(t, "Checkpoints() of the second manager", m.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4")

	m = newManager(t, c, dir, &ManagerOptions{MaxToKeep: 3, Now: now.tick})
	wantPaths(t, "Checkpoints() before a save", m.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4")
	wantPaths(t, "on disk before a save", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4")
	mustSave(t, m, nil)
	wantPaths(t, "Checkpoints() after it", m.Checkpoints(), "ckpt-3", "ckpt-4", "ckpt-5")
	wantPaths(t, "on disk after it", onDisk(t, dir), "ckpt-3", "ckpt-4", "ckpt-5")
}

func TestScenario006ExplicitNumbers(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	for n := int64(0); n <= 8; n += 2 {
		if got, want := mustSave(t, m, &SaveOptions{CheckpointNumber: &n}), filename.Numbered("ckpt", n); got != want {
			t.Errorf("Save(number %d) = %q, want %q", n, got, want)
		}
	}
	if got := c.SaveCounter(); got != 5 {
		t.Errorf("SaveCounter() = %d, want 5", got)
	}
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(32)})
	if got := m.LatestCheckpoint(); got != "ckpt-32" {
		t.Errorf("LatestCheckpoint() = %q, want ckpt-32", got)
	}
	if got, err := Latest(background(), dir); got != "ckpt-32" || err != nil {
		t.Errorf("Latest() = %q, %v, want ckpt-32", got, err)
	}
	s := readState(t, dir)
	wantPaths(t, "state's paths", s.AllModelCheckpointPaths, "ckpt-8", "ckpt-32")
}

func TestScenario007Names(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	named := newManager(t, c, dir, &ManagerOptions{CheckpointName: "ckpt_name", Now: now.tick})
	if got := mustSave(t, named, &SaveOptions{CheckpointNumber: number64(5)}); got != "ckpt_name-5" {
		t.Errorf("Save() = %q, want ckpt_name-5", got)
	}
	plain := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	if got := mustSave(t, plain, &SaveOptions{CheckpointNumber: number64(5)}); got != "ckpt-5" {
		t.Errorf("Save() = %q, want ckpt-5", got)
	}
	// Unlike TensorFlow's, a manager leaves other names alone, and lists them on.
	wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "ckpt_name-5", "ckpt-5")
	mustSave(t, named, &SaveOptions{CheckpointNumber: number64(6)})
	wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "ckpt_name-5", "ckpt-5", "ckpt_name-6")
}

func TestScenario008RestoreOrInitialize(t *testing.T) {
	elsewhere, dir := mem.Dir(), mem.Dir()
	stored, _ := one(2)
	if err := stored.Write(background(), elsewhere, "init"); err != nil {
		t.Fatal(err)
	}
	c, v := one(0)
	m := newManager(t, c, dir, &ManagerOptions{InitFn: func(ctx context.Context) error {
		_, err := c.Read(ctx, elsewhere, "init")
		return err
	}})
	if got, err := m.RestoreOrInitialize(background()); got != "" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want nothing restored", got, err)
	}
	if v.Value[0] != 2 {
		t.Errorf("v = %v after InitFn, want 2", v.Value[0])
	}
	mustSave(t, m, nil)
	v.Value[0] = 7
	if got, err := m.RestoreOrInitialize(background()); got != "ckpt-1" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want ckpt-1", got, err)
	}
	if v.Value[0] != 2 {
		t.Errorf("v = %v after restoring, want 2", v.Value[0])
	}
}

// stepped returns a manager that saves every two steps, and its step.
func stepped(t *testing.T, c *Checkpoint, dir storage.Dir) (*Manager, *int64) {
	step := new(int64)
	return newManager(t, c, dir, &ManagerOptions{CheckpointInterval: 2, StepCounter: func() int64 { return *step }}), step
}

func TestScenario011Interval(t *testing.T) {
	c, _ := one(1)
	m, step := stepped(t, c, mem.Dir())
	for _, test := range []struct {
		step  int64
		force bool
		saved bool
	}{
		{0, false, true}, {1, false, false}, {2, false, true}, {2, false, false},
		{3, false, false}, {3, true, true}, {3, true, false},
	} {
		*step = test.step
		path := mustSave(t, m, &SaveOptions{Force: test.force})
		if saved := path != ""; saved != test.saved {
			t.Errorf("step %d, force %v: Save() = %q, want saved %v", test.step, test.force, path, test.saved)
		}
	}
}

func TestScenario012LastCheckpointStep(t *testing.T) {
	c, _ := one(1)
	step := int64(1)
	m := newManager(t, c, mem.Dir(), &ManagerOptions{CheckpointInterval: 2, LastCheckpointStep: number64(1),
		StepCounter: func() int64 { return step }})
	for _, want := range []string{"", "", "ckpt-1"} {
		if got := mustSave(t, m, nil); got != want {
			t.Errorf("Save() at step %d = %q, want %q", step, got, want)
		}
		step++
	}
}

func TestScenario013IntervalAfterRestore(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	if _, err := c.Save(background(), dir, "ckpt"); err != nil {
		t.Fatal(err)
	}
	m, step := stepped(t, c, dir)
	if got, err := m.RestoreOrInitialize(background()); got != "ckpt-1" || err != nil {
		t.Fatalf("RestoreOrInitialize() = %q, %v, want ckpt-1", got, err)
	}
	if got := mustSave(t, m, nil); got != "" {
		t.Errorf("Save() at the restored step = %q, want it skipped", got)
	}
	*step = 2
	if got := mustSave(t, m, nil); got != "ckpt-2" {
		t.Errorf("Save() two steps later = %q, want ckpt-2", got)
	}
}

func TestScenario014OptionErrors(t *testing.T) {
	c, _ := one(1)
	for _, test := range []struct {
		o    ManagerOptions
		want string // "" for none
	}{
		{ManagerOptions{}, ""},
		{ManagerOptions{MaxToKeep: -1}, "MaxToKeep is -1"},
		{ManagerOptions{MaxToKeep: 1, Retention: retention.Latest(1)}, "MaxToKeep and Retention both"},
		{ManagerOptions{KeepCheckpointEvery: 1, Retention: retention.Latest(1)}, "KeepCheckpointEvery and Retention both"},
		{ManagerOptions{KeepCheckpointEvery: -1}, "KeepCheckpointEvery is -1ns"},
		{ManagerOptions{CheckpointInterval: 1}, "needs a StepCounter"},
		{ManagerOptions{CheckpointInterval: -1}, "CheckpointInterval is -1"},
		{ManagerOptions{CheckpointName: "../x"}, "CheckpointName"},
		{ManagerOptions{CheckpointName: "a\x00b"}, "CheckpointName"},
	} {
		_, err := NewManager(background(), c, mem.Dir(), &test.o)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("NewManager(%+v) = %v, want %q", test.o, err, test.want)
		}
	}
}

func TestScenario016StepCounterGoesBack(t *testing.T) {
	c, _ := one(1)
	step := int64(100)
	m := newManager(t, c, mem.Dir(), &ManagerOptions{CheckpointInterval: 10, StepCounter: func() int64 { return step }})
	mustSave(t, m, nil)
	for _, step = range []int64{5, 50, 109} {
		if got := mustSave(t, m, nil); got != "" {
			t.Errorf("Save() at step %d = %q, want it skipped", step, got)
		}
	}
	step = 5
	if got := mustSave(t, m, &SaveOptions{Force: true}); got == "" {
		t.Error("Save() with Force at step 5 was skipped")
	}
	step = 15
	if got := mustSave(t, m, nil); got == "" {
		t.Error("Save() at step 15, ten after the forced one, was skipped")
	}
}

func TestScenario017FirstSaveIsAlwaysDue(t *testing.T) {
	c, _ := one(1)
	m, step := stepped(t, c, mem.Dir())
	*step = 1
	if got := mustSave(t, m, nil); got == "" {
		t.Error("the first Save() was skipped")
	}
}

func TestScenario020KeepEveryTwoHours(t *testing.T) {
	dir, now := mem.Dir(), at(0)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, KeepCheckpointEvery: 2 * time.Hour, Now: now.now})
	for s := 0.0; s <= 14400; s += 1800 {
		now.set(s)
		mustSave(t, m, nil)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-5", "ckpt-8", "ckpt-9")
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-8", "ckpt-9")
	if got := readState(t, dir).LastPreservedTimestamp; got.Unix() != 7200 {
		t.Errorf("last preserved = %v, want 7200 s", got)
	}
	r, err := ReadReceipt(background(), dir, "ckpt-5")
	if want := "kept every 2h: 2h0m1s after the last kept one"; err != nil || r.Kept != want {
		t.Errorf("receipt of ckpt-5 says %q, %v, want %q", r.Kept, err, want)
	}
}

func TestScenario021ZeroHoursIsNone(t *testing.T) {
	dir, now := mem.Dir(), at(0)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.now})
	for range 5 {
		now.add(10 * time.Hour)
		mustSave(t, m, nil)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-5")
}

func TestScenario023StateFileText(t *testing.T) {
	dir, now := mem.Dir(), at(1610001489.305085)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.now})
	mustSave(t, m, nil)
	now.add(42 * time.Second)
	mustSave(t, m, nil)
	const want = `model_checkpoint_path: "ckpt-2"
all_model_checkpoint_paths: "ckpt-1"
all_model_checkpoint_paths: "ckpt-2"
all_model_checkpoint_timestamps: 1610001489.305085
all_model_checkpoint_timestamps: 1610001531.305085
last_preserved_timestamp: 1610001488.305085
`
	if got := readFile(t, dir, filename.State); got != want {
		t.Errorf("state file:\n%swant:\n%s", got, want)
	}
}

func TestScenario028TwoManagersOneAfterTheOther(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m1 := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	for n := range int64(3) {
		mustSave(t, m1, &SaveOptions{CheckpointNumber: &n})
	}
	m2 := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	for n := int64(3); n < 6; n++ {
		mustSave(t, m2, &SaveOptions{CheckpointNumber: &n})
	}
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-4", "ckpt-5")
}

func TestScenario029PlainSaveKeepsTheManagersList(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	if got, err := c.Save(background(), dir, "ckpt"); got != "ckpt-3" || err != nil {
		t.Fatalf("Checkpoint.Save() = %q, %v, want ckpt-3", got, err)
	}
	// TensorFlow's list would be ckpt-3 alone.
	between := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	wantPaths(t, "list of a manager in between", between.Checkpoints(), "ckpt-1", "ckpt-2")
	if got := between.LatestCheckpoint(); got != "ckpt-3" {
		t.Errorf("its LatestCheckpoint() = %q, want ckpt-3", got)
	}
	mustSave(t, m, nil)
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-2", "ckpt-4")
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-3", "ckpt-4")
	wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "ckpt-2", "ckpt-4")
}

func TestScenario032StateWithoutTimesManagesNothing(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	for range 3 {
		if _, err := c.Save(background(), dir, "ckpt"); err != nil {
			t.Fatal(err)
		}
	}
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	wantPaths(t, "Checkpoints()", m.Checkpoints())
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-3", "ckpt-5")
}

func TestScenario033GlobCharactersAreLiteral(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	writeFile(t, dir, "runAx/ck*t-1.index", "not ours")
	writeFile(t, dir, "run[A]?/ckXt-1.index", "not ours")
	m := newManager(t, c, storage.Sub(dir, "run[A]?"), &ManagerOptions{MaxToKeep: 1, CheckpointName: "ck*t", Now: now.tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	if _, err := m.RestoreOrInitialize(background()); err != nil {
		t.Errorf("RestoreOrInitialize() = %v", err)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "runAx/ck*t-1", "run[A]?/ck*t-2", "run[A]?/ckXt-1")
}

func TestScenario034PruningLeavesLookalikesAlone(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	mustSave(t, m, nil)
	foreign := []string{"ckpt-1.meta", "ckpt-10.index", "ckpt-1x.index", "ckpt-1.data-0000-of-0001",
		"ckpt-1.data-00000-of-00001.tempstate1", "ckpt-1", "ckpt-01.index", "ckpt-1.index.bak"}
	for _, name := range foreign {
		writeFile(t, dir, name, "not ours")
	}
	mustSave(t, m, nil)
	left := listing(t, dir)
	for _, name := range foreign {
		if !contains(left, name) {
			t.Errorf("%s is gone", name)
		}
	}
	for _, name := range []string{"ckpt-1.index", "ckpt-1.data-00000-of-00001", "ckpt-1.receipt.json"} {
		if contains(left, name) {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestScenario037CheckpointsIsACopy(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	mustSave(t, m, nil)
	m.Checkpoints()[0] = "ckpt-99"
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2")
}

func TestScenario039HundredSavesLeaveOneCheckpoint(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	for range 100 {
		mustSave(t, m, nil)
	}
	wantPaths(t, "files", listing(t, dir),
		"checkpoint", "ckpt-100.data-00000-of-00001", "ckpt-100.index", "ckpt-100.receipt.json")
}

func TestClosedManagerDoesNotSave(t *testing.T) {
	c, _ := one(1)
	m := newManager(t, c, mem.Dir(), nil)
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Save(background(), nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Save() = %v, want fs.ErrClosed", err)
	}
}

// TestTheStateFileIsTheManagersWhereverItsCheckpointsAre: a name may lead to a
// directory below.
func TestTheStateFileIsTheManagersWhereverItsCheckpointsAre(t *testing.T) {
	dir := mem.Dir()
	c, v := one(1)
	m := newManager(t, c, dir, &ManagerOptions{CheckpointName: "below/ckpt", MaxToKeep: 2})
	for i := range 3 {
		v.Value[0] = float32(i)
		mustSave(t, m, nil)
	}
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	var states []string
	for info, err := range dir.List(background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if path.Base(info.Name) == "checkpoint" {
			states = append(states, info.Name)
		}
	}
	if !slices.Equal(states, []string{"checkpoint"}) {
		t.Errorf("state files are %q, want the manager's", states)
	}
	m = newManager(t, c, dir, &ManagerOptions{CheckpointName: "below/ckpt", MaxToKeep: 2})
	if got, err := m.RestoreOrInitialize(background()); err != nil || got != "below/ckpt-3" || v.Value[0] != 2 {
		t.Errorf("RestoreOrInitialize = %q, %v, with %v", got, err, v.Value[0])
	}
	wantPaths(t, "Checkpoints", m.Checkpoints(), "below/ckpt-2", "below/ckpt-3")
}
