package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// logged returns a logger and what it was told.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelWarn})), &b
}

func wantWarning(t *testing.T, log *bytes.Buffer, text string) {
	t.Helper()
	if !strings.Contains(log.String(), text) {
		t.Errorf("log = %q, want a warning that contains %q", log, text)
	}
}

// savedBy returns a directory that a manager made n saves into, at 1001 s,
// 1002 s and so on.
func savedBy(t *testing.T, o ManagerOptions, n int) storage.Dir {
	t.Helper()
	dir, now := mem.Dir(), at(1000)
	o.Now = now.now
	c, v := one(0)
	m := newManager(t, c, dir, &o)
	for i := range n {
		now.tick()
		v.Value[0] = float32(i + 1)
		mustSave(t, m, nil)
	}
	return dir
}

// Proves D7.
func TestScenario030BrokenStateFileIsRebuilt(t *testing.T) {
	for _, text := range []string{"", "\x00garbage", `model_checkpoint_path: "ckpt-`, "all_model_checkpoint_paths: \"ckpt-1\"\n",
		"model_checkpoint_path: \"b\"\nall_model_checkpoint_paths: \"ckpt-1\"\nall_model_checkpoint_paths: \"b\"\nall_model_checkpoint_timestamps: 1.0\n"} {
		dir := savedBy(t, ManagerOptions{MaxToKeep: 3}, 5)
		writeFile(t, dir, filename.State, text)
		log, told := logged()
		c, v := one(0)
		now := at(2000)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 3, Now: now.tick, Logger: log})
		wantWarning(t, told, "state file is broken")
		wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-3", "ckpt-4", "ckpt-5")
		if path, err := m.RestoreOrInitialize(background()); path != "ckpt-5" || err != nil || v.Value[0] != 5 {
			t.Errorf("RestoreOrInitialize() = %q, %v, v = %v, want ckpt-5 and 5", path, err, v.Value[0])
		}
		mustSave(t, m, nil)
		wantPaths(t, "on disk", onDisk(t, dir), "ckpt-4", "ckpt-5", "ckpt-6")
		// What the rebuilt file says holds for the manager after this one.
		m = newManager(t, c, dir, &ManagerOptions{MaxToKeep: 3, Now: now.tick})
		wantPaths(t, "Checkpoints() of the next manager", m.Checkpoints(), "ckpt-4", "ckpt-5", "ckpt-6")
	}
}

func TestRebuildingLeavesPreservedAndForeignCheckpointsAlone(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: 3 * time.Second}, 5)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-5")
	c, _ := one(1)
	if err := c.Write(background(), dir, "ckpt-4"); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, filename.State)
	now := at(2000)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-5")
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-4", "ckpt-6")
}

func TestNewerCheckpointThanTheStateFileIsAdopted(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 3}, 2)
	old := readFile(t, dir, filename.State)
	dir2 := savedBy(t, ManagerOptions{MaxToKeep: 3}, 3)
	writeFile(t, dir2, filename.State, old) // as if the process had died before writing it
	log, told := logged()
	c, _ := one(1)
	m := newManager(t, c, dir2, &ManagerOptions{MaxToKeep: 3, Now: at(2000).tick, Logger: log})
	wantWarning(t, told, "does not know yet")
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3")
	if got := m.LatestCheckpoint(); got != "ckpt-3" {
		t.Errorf("LatestCheckpoint() = %q, want ckpt-3", got)
	}
	// One that is not as its receipt says is not.
	writeFile(t, dir2, "ckpt-3.data-00000-of-00001", "too short")
	m = newManager(t, c, dir2, &ManagerOptions{MaxToKeep: 3, Now: at(2000).tick})
	wantPaths(t, "Checkpoints() with a damaged one", m.Checkpoints(), "ckpt-1", "ckpt-2")
	if got := m.LatestCheckpoint(); got != "ckpt-2" {
		t.Errorf("LatestCheckpoint() = %q, want ckpt-2", got)
	}
}

// TestHigherNumberThatIsOlderIsNotAdopted: a process was killed between index
// and state of a number that its user chose. The next one, which did not see
// it, went on with lower numbers.
func TestHigherNumberThatIsOlderIsNotAdopted(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, v := one(0)
	save := func(m *Manager, value float32, number int64) {
		v.Value[0] = value
		mustSave(t, m, &SaveOptions{CheckpointNumber: &number})
	}
	o := &ManagerOptions{MaxToKeep: 2, Now: now.tick}
	m := newManager(t, c, dir, o)
	save(m, 1, 4)
	before := readFile(t, dir, filename.State)
	save(m, 2, 3)
	writeFile(t, dir, filename.State, before) // as if the process had died before writing it

	m = newManager(t, c, dir, o)
	if path, err := m.RestoreOrInitialize(background()); path != "ckpt-4" || err != nil {
		t.Fatalf("RestoreOrInitialize() = %q, %v, want ckpt-4", path, err)
	}
	save(m, 3, 1)
	save(m, 4, 2)
	m = newManager(t, c, dir, o)
	if path, err := m.RestoreOrInitialize(background()); path != "ckpt-2" || err != nil || v.Value[0] != 4 {
		t.Errorf("RestoreOrInitialize() = %q, %v, v = %v, want ckpt-2 and 4", path, err, v.Value[0])
	}
}

func TestLatestThatIsGoneIsReplaced(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 12}, 11)
	for _, name := range []string{"ckpt-11.index", "ckpt-11.data-00000-of-00001"} {
		remove(t, dir, name)
	}
	if got, err := Latest(background(), dir); got != "ckpt-10" || err != nil {
		t.Errorf("Latest() = %q, %v, want ckpt-10, not ckpt-9", got, err)
	}
	log, told := logged()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Logger: log})
	if got := m.LatestCheckpoint(); got != "ckpt-10" {
		t.Errorf("LatestCheckpoint() = %q, want ckpt-10", got)
	}
	wantWarning(t, told, "the latest checkpoint is gone")
	if got := mustSave(t, m, nil); got != "ckpt-12" {
		t.Errorf("Save() = %q, want ckpt-12", got)
	}
}

// TestLostStateFileDoesNotBeginFromNothing: what it would have named is of
// another name, or of TensorFlow 1.
//
// Proves D7, D20.
func TestLostStateFileDoesNotBeginFromNothing(t *testing.T) {
	for _, text := range []string{"", "\x00\x00\x00", `model_checkpoint_path: "gone-1"`, strings.Repeat("x", maxState+1)} {
		dir := savedBy(t, ManagerOptions{CheckpointName: "other"}, 2)
		writeFile(t, dir, filename.State, text)
		c, v := one(0)
		m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, InitFn: func(context.Context) error {
			return errors.New("initialized")
		}})
		if path, err := m.RestoreOrInitialize(background()); path != "other-2" || err != nil || v.Value[0] != 2 {
			t.Errorf("state %.20q: RestoreOrInitialize() = %q, %v, want other-2", text, path, err)
		}
		wantPaths(t, "Checkpoints()", m.Checkpoints())
		mustSave(t, m, nil)
		if got := m.LatestCheckpoint(); got != "ckpt-3" {
			t.Errorf("LatestCheckpoint() = %q, want ckpt-3", got)
		}
	}
}

func TestFreshProcessGoesOnAfterTheHighestNumber(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 3)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick})
	if got := mustSave(t, m, nil); got != "ckpt-4" {
		t.Errorf("Manager.Save() = %q, want ckpt-4", got)
	}
	c, _ = one(1)
	if got, err := c.Save(background(), dir, "ckpt"); got != "ckpt-5" || err != nil {
		t.Errorf("Checkpoint.Save() = %q, %v, want ckpt-5", got, err)
	}
	if got := c.SaveCounter(); got != 5 {
		t.Errorf("SaveCounter() = %d, want 5", got)
	}
}

// TestClockRules are those of TensorFlow's testClockReset.
func TestClockRules(t *testing.T) {
	dir, now := mem.Dir(), at(10000)
	c, _ := one(1)
	o := &ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: time.Hour, Now: now.now}
	m := newManager(t, c, dir, o)
	mustSave(t, m, nil)
	now.add(2 * time.Hour)
	mustSave(t, m, nil) // ckpt-1 is removed: it is one second newer than the start
	now.add(2 * time.Hour)
	mustSave(t, m, nil) // ckpt-2 is preserved
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-3")

	now.set(5000)
	log, told := logged()
	o.Logger = log
	m = newManager(t, c, dir, o)
	wantWarning(t, told, "clock went back")
	wantPaths(t, "Checkpoints() after the clock went back", m.Checkpoints())
	now.tick()
	mustSave(t, m, nil)
	now.tick()
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-3", "ckpt-5")
}

func TestTimesInTheFutureBecomeNow(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 2}, 2)
	s := readState(t, dir)
	s.AllModelCheckpointTimestamps[1] = at(1e9).t
	if err := WriteState(background(), dir, s); err != nil {
		t.Fatal(err)
	}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 3, Now: at(2000).now})
	mustSave(t, m, nil)
	if got := readState(t, dir).AllModelCheckpointTimestamps[1]; got.Unix() != 2000 {
		t.Errorf("time of ckpt-2 = %v, want 2000 s", got)
	}
}

func TestStateEntriesNeverLeadOutOfTheDirectory(t *testing.T) {
	parent := mem.Dir()
	dir := storage.Sub(parent, "run")
	c, _ := one(1)
	for _, p := range []string{"ckpt-1", "elsewhere/ckpt-2", "run/ckpt-3", "run/ckpt-4"} {
		if err := c.Write(background(), parent, p); err != nil {
			t.Fatal(err)
		}
	}
	s := State{ModelCheckpointPath: "./ckpt-4", LastPreservedTimestamp: at(1).t}
	s.AllModelCheckpointPaths = []string{"../ckpt-1", "/elsewhere/ckpt-2", "/old/place/ckpt-3", "./ckpt-4"}
	for i := range s.AllModelCheckpointPaths {
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, at(float64(10+i)).t)
	}
	if err := WriteState(background(), dir, s); err != nil {
		t.Fatal(err)
	}
	log, told := logged()
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(2000).now, Logger: log})
	wantWarning(t, told, `path=../ckpt-1`)
	wantWarning(t, told, `path=/elsewhere/ckpt-2`)
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-3", "ckpt-4")
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, parent), "ckpt-1", "elsewhere/ckpt-2", "run/ckpt-5")
}

// failing is a Dir in which some operations fail.
type failing struct {
	storage.Dir
	fail func(op, name string) error
}

func (f failing) Create(ctx context.Context, name string) (storage.Pending, error) {
	if err := f.fail("create", name); err != nil {
		return nil, err
	}
	p, err := f.Dir.Create(ctx, name)
	return &failingPending{p, f, name}, err
}

// failingPending is one whose Commit may fail.
type failingPending struct {
	storage.Pending
	f    failing
	name string
}

func (p *failingPending) Commit() error {
	if err := p.f.fail("commit", p.name); err != nil {
		return err
	}
	return p.Pending.Commit()
}

func (f failing) Remove(ctx context.Context, name string) error {
	if err := f.fail("remove", name); err != nil {
		return err
	}
	return f.Dir.Remove(ctx, name)
}

var errDisk = errors.New("disk full")

func TestFailedSaveChangesNothing(t *testing.T) {
	for broken, next := range map[string]string{
		"create ckpt-2.data-00000-of-00001": "ckpt-2",
		"create ckpt-2.index":               "ckpt-2",
		"create ckpt-2.receipt.json":        "ckpt-2",
		"create " + filename.State:          "ckpt-2",
		"commit ckpt-2.data-00000-of-00001": "ckpt-2",
		"commit ckpt-2.index":               "ckpt-2",
		"commit " + filename.State:          "ckpt-3", // ckpt-2 is complete, and never overwritten
	} {
		fails := false
		disk := mem.Dir()
		dir := &failing{disk, func(op, name string) error {
			if fails && op+" "+name == broken {
				return errDisk
			}
			return nil
		}}
		c, _ := one(1)
		step := int64(0)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick,
			CheckpointInterval: 10, StepCounter: func() int64 { return step }})
		mustSave(t, m, nil)
		before := readFile(t, disk, filename.State)
		fails, step = true, 10
		if path, err := m.Save(background(), nil); !errors.Is(err, errDisk) || path != "" {
			t.Errorf("%s: Save() = %q, %v, want the disk's error", broken, path, err)
		}
		if got := c.SaveCounter(); got != 1 {
			t.Errorf("%s: SaveCounter() = %d, want 1", broken, got)
		}
		wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1")
		if got := readFile(t, disk, filename.State); got != before {
			t.Errorf("%s: state file changed to\n%s", broken, got)
		}
		var left []string
		for _, name := range listing(t, disk) {
			if strings.HasPrefix(name, "ckpt-2") {
				left = append(left, name)
			}
		}
		if (next == "ckpt-2") != (len(left) == 0) {
			t.Errorf("%s: left %q", broken, left)
		}
		fails = false
		if got := mustSave(t, m, nil); got != next {
			t.Errorf("%s: Save() at the same step = %q, want %q", broken, got, next)
		}
	}
}

// halfway is a Dir whose next CommitAll fails after the first wave.
type halfway struct {
	storage.Dir
	fail bool
}

func (h *halfway) CommitAll(ctx context.Context, waves ...[]storage.Pending) error {
	if !h.fail {
		return storage.CommitAll(ctx, h.Dir, waves...)
	}
	h.fail = false
	if err := storage.CommitAll(ctx, h.Dir, waves[0]); err != nil {
		return err
	}
	return errDisk
}

func (h *halfway) RemoveAll(ctx context.Context, waves ...[]string) error {
	return storage.RemoveAll(ctx, h.Dir, waves...)
}

func (h *halfway) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, h.Dir, name)
}

func TestFilesOfAFailedSaveAreRemoved(t *testing.T) {
	dir := &halfway{Dir: mem.Dir()}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	mustSave(t, m, nil)
	dir.fail = true
	if _, err := m.Save(background(), nil); !errors.Is(err, errDisk) {
		t.Errorf("Save() = %v, want the disk's error", err)
	}
	noOrphans(t, dir)
	mustSave(t, m, nil) // its number was not used
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-2")
}

func TestFailedRemovalDoesNotFailTheSave(t *testing.T) {
	for _, broken := range []string{"ckpt-1.index", "ckpt-1.data-00000-of-00001"} {
		fails := true
		disk := mem.Dir()
		dir := &failing{disk, func(op, name string) error {
			if fails && op == "remove" && name == broken {
				return errDisk
			}
			return nil
		}}
		c, _ := one(1)
		log, told := logged()
		o := &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick, Logger: log}
		m, err := NewManager(background(), c, dir, o)
		if err != nil {
			t.Fatal(err)
		}
		mustSave(t, m, nil)
		if got := mustSave(t, m, nil); got != "ckpt-2" {
			t.Errorf("Save() = %q, want ckpt-2", got)
		}
		wantWarning(t, told, "disk full")
		wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-2")
		wantPaths(t, "state's paths", readState(t, disk).AllModelCheckpointPaths, "ckpt-1", "ckpt-2")
		if err := m.Close(background()); !errors.Is(err, errDisk) {
			t.Errorf("Close() = %v, want the disk's error", err)
		}
		fails = false
		m = newManager(t, c, dir, o)
		mustSave(t, m, nil)
		wantPaths(t, "files", listing(t, disk), "checkpoint", "ckpt-3.data-00000-of-00001", "ckpt-3.index", "ckpt-3.receipt.json")
	}
}

func TestCloseRemovesWhatASaveCouldNot(t *testing.T) {
	fails := true
	disk := mem.Dir()
	dir := &failing{disk, func(op, name string) error {
		if fails && op == "remove" {
			return errDisk
		}
		return nil
	}}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	fails = false
	if err := m.Close(background()); err != nil {
		t.Errorf("Close() = %v", err)
	}
	wantPaths(t, "on disk", onDisk(t, disk), "ckpt-2")
	wantPaths(t, "state's paths", readState(t, disk).AllModelCheckpointPaths, "ckpt-2")
}

func TestCancelledSaveLeavesNothing(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, nil)
	ctx, cancel := context.WithCancel(background())
	cancel()
	if _, err := m.Save(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Save() = %v, want context.Canceled", err)
	}
	wantPaths(t, "files", listing(t, dir))
}

func TestManagersOfOneProcessShareADirectory(t *testing.T) {
	dir := local.Dir(t.TempDir())
	var wg sync.WaitGroup
	names := []string{"a", "b", "c"}
	for _, name := range names {
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, CheckpointName: name})
		wg.Go(func() {
			for range 5 {
				if _, err := m.Save(background(), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	listed := readState(t, dir).AllModelCheckpointPaths
	for _, name := range names {
		for _, path := range []string{name + "-4", name + "-5"} {
			if !contains(listed, path) {
				t.Errorf("state lists %v, want %s among them", listed, path)
			}
		}
	}
	if len(listed) != 6 {
		t.Errorf("state lists %v, want 6 paths", listed)
	}
}

func TestFirstSaveSeesWhatWasWrittenSinceOpening(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c1, _ := one(1)
	c2, _ := one(2)
	o := &ManagerOptions{MaxToKeep: 2, Now: now.tick}
	late := newManager(t, c2, dir, o)
	early := newManager(t, c1, dir, o)
	mustSave(t, early, nil)
	mustSave(t, early, nil)
	if got := mustSave(t, late, nil); got != "ckpt-3" {
		t.Errorf("Save() = %q, want ckpt-3", got)
	}
	wantPaths(t, "Checkpoints()", late.Checkpoints(), "ckpt-2", "ckpt-3")
	wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "ckpt-2", "ckpt-3")
}

func TestInitFnMayUseTheManager(t *testing.T) {
	c, _ := one(1)
	var m *Manager
	m = newManager(t, c, mem.Dir(), &ManagerOptions{InitFn: func(ctx context.Context) error {
		_, err := m.Save(ctx, nil)
		return err
	}})
	if got, err := m.RestoreOrInitialize(background()); got != "" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v", got, err)
	}
	if got := m.LatestCheckpoint(); got != "ckpt-1" {
		t.Errorf("LatestCheckpoint() = %q, want ckpt-1", got)
	}
}

// TestWithoutLocksNothingIsTidied: what looks like a leftover may be another
// process's, just being written.
func TestWithoutLocksNothingIsTidied(t *testing.T) {
	dir := struct{ storage.Dir }{savedBy(t, ManagerOptions{}, 1)}
	writeFile(t, dir, "ckpt-5.receipt.json", `{"schema":1,"path":"ckpt-5"}`)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick})
	if got := mustSave(t, m, nil); got != "ckpt-6" {
		t.Errorf("Save() = %q, want ckpt-6", got)
	}
	if !contains(listing(t, dir), "ckpt-5.receipt.json") {
		t.Error("ckpt-5.receipt.json is gone")
	}
}

func TestSaveDuringASaveIsRefused(t *testing.T) {
	c, _ := one(1)
	c.busy.Lock()
	defer c.busy.Unlock()
	m := newManager(t, c, mem.Dir(), nil)
	_, fromSave := c.Save(background(), mem.Dir(), "x")
	_, fromManager := m.Save(background(), nil)
	_, fromRestore := c.Restore(background(), mem.Dir(), "x")
	_, fromRead := c.Read(background(), mem.Dir(), "x")
	for _, err := range []error{fromSave, fromManager, fromRestore, fromRead, c.Write(background(), mem.Dir(), "x")} {
		if !errors.Is(err, ErrSaving) {
			t.Errorf("call during a save = %v, want ErrSaving", err)
		}
	}
}

func TestNewestCheckpointIsKeptWhateverThePolicySays(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Retention: removeAll, Now: at(1000).tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2")
}

func TestOrphanWithoutOurReceiptStays(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 1)
	writeFile(t, dir, "ckpt-7.data-00000-of-00001", "TensorFlow is just writing this")
	writeFile(t, dir, "ckpt-3.data-00000-of-00001", "abc")
	writeFile(t, dir, "ckpt-3.receipt.json", `{"schema":1,"path":"ckpt-3","files":[{"name":"ckpt-3.data-00000-of-00001","size":4,"crc32c":"0"}]}`)
	writeFile(t, dir, "ckpt-5.receipt.json", `{"schema":1,"path":"ckpt-5"}`)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick})
	mustSave(t, m, nil)
	left := listing(t, dir)
	for name, want := range map[string]bool{"ckpt-7.data-00000-of-00001": true, "ckpt-3.data-00000-of-00001": true,
		"ckpt-3.receipt.json": true, "ckpt-5.receipt.json": false} {
		if contains(left, name) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
}

// TestRecoverySetOfARemovedCheckpointIsNotBroughtBack: somebody who knows
// nothing of recovery sets has removed the checkpoint.
func TestRecoverySetOfARemovedCheckpointIsNotBroughtBack(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 3)
	for _, name := range []string{"ckpt-2.data-00000-of-00001", "ckpt-2.receipt.json", "ckpt-2.index"} {
		if err := storage.Link(background(), dir, name, filename.Recovery("ckpt-2")+strings.TrimPrefix(name, "ckpt-2")); err != nil {
			t.Fatal(err)
		}
		if name != "ckpt-2.receipt.json" { // TensorFlow does not know it
			remove(t, dir, name)
		}
	}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick})
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-3", "ckpt-4")
}

func TestCloseLeavesAnothersStateFileAlone(t *testing.T) {
	fails, now := true, at(1000)
	disk := mem.Dir()
	dir := &failing{disk, func(op, name string) error {
		if fails && op == "remove" {
			return errDisk
		}
		return nil
	}}
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	mustSave(t, newManager(t, c, dir, &ManagerOptions{CheckpointName: "b", Now: now.tick}), nil)
	before := readFile(t, disk, filename.State)
	fails = false
	if err := m.Close(background()); err != nil {
		t.Errorf("Close() = %v", err)
	}
	wantPaths(t, "on disk", onDisk(t, disk), "b-3", "ckpt-2")
	if got := readFile(t, disk, filename.State); got != before {
		t.Errorf("state file changed to\n%s", got)
	}
}

func TestPlainSaveReplacesAStateFileThatMakesNoSense(t *testing.T) {
	for _, text := range []string{"", "garbage", "model_checkpoint_path: \"a\"\nall_model_checkpoint_timestamps: 5.0\n"} {
		dir := mem.Dir()
		writeFile(t, dir, filename.State, text)
		c, _ := one(1)
		if _, err := c.Save(background(), dir, "ckpt"); err != nil {
			t.Errorf("Save() = %v", err)
		}
		wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "ckpt-1")
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	dir := &locked{mem.Dir()}
	c, _ := one(1)
	m := newManager(t, c, dir, nil)
	_, err := m.Save(background(), nil)
	if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "process 7 on elsewhere") {
		t.Errorf("Save() = %v, want storage.ErrLocked with the holder", err)
	}
	if !errors.Is(err, storage.ErrLocked) || len(listing(t, dir)) > 0 {
		t.Errorf("files after it: %v", listing(t, dir))
	}
}

type locked struct{ storage.Dir }

func (l *locked) Lock(_ context.Context, name string) (storage.Held, error) {
	return nil, &fs.PathError{Op: "lock", Path: name, Err: holder{}}
}

type holder struct{}

func (holder) Error() string   { return "locked by process 7 on elsewhere" }
func (holder) Is(e error) bool { return e == storage.ErrLocked }

func TestFailedSaveDoesNotAdoptWhatItWasToReplace(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	if err := c.Write(background(), dir, "ckpt-7"); err != nil { // nobody's
		t.Fatal(err)
	}
	broken := trackable.State(failingState{})
	c.Track("broken", broken)
	if _, err := m.Save(background(), &SaveOptions{CheckpointNumber: number64(7)}); err == nil {
		t.Fatal("Save() of an object that fails = nil")
	}
	c.Untrack("broken")
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-7", "ckpt-9")
}

var errState = errors.New("state fails")

type failingState struct{}

func (failingState) MarshalBinary() ([]byte, error) { return nil, errState }
func (failingState) UnmarshalBinary([]byte) error   { return errState }
