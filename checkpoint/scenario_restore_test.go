package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// mustRestore restores and returns the status.
func mustRestore(t *testing.T, c *Checkpoint, dir storage.Dir, path string) *trackable.LoadStatus {
	t.Helper()
	s, err := c.Restore(background(), dir, path)
	if err != nil {
		t.Fatalf("Restore(%q) = %v", path, err)
	}
	return s
}

func mustWrite(t *testing.T, c *Checkpoint, dir storage.Dir, path string) {
	t.Helper()
	if err := c.Write(background(), dir, path); err != nil {
		t.Fatalf("Write(%q) = %v", path, err)
	}
}

func mustPlainSave(t *testing.T, c *Checkpoint, dir storage.Dir) string {
	t.Helper()
	path, err := c.Save(background(), dir, "ckpt")
	if err != nil {
		t.Fatalf("Save = %v", err)
	}
	return path
}

func TestScenario068TenPlainSaves(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	var want []string
	for i := range 10 {
		want = append(want, mustPlainSave(t, c, dir))
		if want[i] != fmt.Sprintf("ckpt-%d", i+1) {
			t.Errorf("save %d is %s", i+1, want[i])
		}
	}
	wantPaths(t, "on disk", onDisk(t, dir), want...)
	wantPaths(t, "the state file's list", readState(t, dir).AllModelCheckpointPaths, "ckpt-10")
}

func TestScenario069AVariableMoreBeforeEachSave(t *testing.T) {
	dir := mem.Dir()
	root := new(trackable.Node)
	var vars []*variableF
	c := New(nil, Objects{"root_": root}, nil)
	for i := range 10 {
		v := variable(float32(i))
		vars = append(vars, v)
		root.Track(fmt.Sprintf("var_%d", i), v)
		mustPlainSave(t, c, dir)
	}
	for _, n := range []int{6, 10} {
		for _, v := range vars {
			v.Value[0] = 314
		}
		mustRestore(t, c, dir, fmt.Sprintf("ckpt-%d", n))
		for i, v := range vars {
			want := float32(i)
			if i >= n {
				want = 314
			}
			if v.Value[0] != want {
				t.Errorf("after ckpt-%d var_%d = %v, want %v", n, i, v.Value[0], want)
			}
		}
	}
}

func TestScenario071WriteThenReadIntoFreshObjects(t *testing.T) {
	dir := mem.Dir()
	c, v := one(1)
	for _, value := range []float32{1, 2} {
		v.Value[0] = value
		mustWrite(t, c, dir, "written")
		fresh, got := one(0)
		s, err := fresh.Read(background(), dir, "written")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.AssertExistingObjectsMatched(), s.AssertConsumed()); err != nil || got.Value[0] != value {
			t.Errorf("assertions = %v, v = %v, want nil, %v", err, got.Value[0], value)
		}
	}
}

func TestScenario073VariableAttachedToTheRootAfterRestore(t *testing.T) {
	dir := mem.Dir()
	stored := new(trackable.Node).Track("v", variable(1)).Track("late", variable(2))
	path := mustPlainSave(t, New(stored, nil, nil), dir)
	root, v, late := new(trackable.Node), variable(0), variable(0)
	root.Track("v", v)
	s := mustRestore(t, New(root, nil, nil), dir, path)
	root.Track("late", late)
	if err := s.AssertConsumed(); err != nil || v.Value[0] != 1 || late.Value[0] != 2 {
		t.Errorf("AssertConsumed = %v, v = %v, late = %v; want nil, 1, 2", err, v.Value[0], late.Value[0])
	}
}

// There is no weak reference to pass as root, and none is needed: what a
// Checkpoint leads to does not lead back, so that both go when nobody has them.
func TestScenario076ACheckpointKeepsItsRootAndGoesWithIt(t *testing.T) {
	dir := mem.Dir()
	c := New(new(trackable.Node).Track("v", variable(5)), nil, nil)
	path := mustPlainSave(t, c, dir)
	root := new(trackable.Node).Track("v", variable(0))
	mustRestore(t, New(root, nil, nil), dir, path)
	gone := weak.Make(New(root, nil, nil))
	runtime.GC()
	if gone.Value() != nil {
		t.Error("the root keeps its Checkpoint")
	}
	runtime.KeepAlive(root)
}

func TestScenario077MissingCheckpointSaysWhatToLookAt(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	mustPlainSave(t, c, dir)
	for _, path := range []string{"ckptno", "ckpt"} {
		_, err := c.Restore(background(), dir, path)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "-1") {
			t.Errorf("Restore(%q) = %v, want fs.ErrNotExist and a hint at a suffix like -1", path, err)
		}
	}
}

// A path is a string, and may name any file of the checkpoint.
func TestScenario081PathsAreStrings(t *testing.T) {
	c, _ := one(1)
	place := t.TempDir()
	dir := local.Dir(filepath.Join(place, "sub"))
	mustWrite(t, c, dir, "written")
	for _, path := range []string{"sub/written", "sub/written.index"} {
		fresh, v := one(0)
		if _, err := fresh.Read(background(), local.Dir(place), path); err != nil || v.Value[0] != 1 {
			t.Errorf("Read(%q) = %v, v = %v, want nil, 1", path, err, v.Value[0])
		}
	}
}

// handles counts the files of a Dir that are open.
type handles struct {
	storage.Dir
	open, ever int
}

type handle struct {
	storage.File
	h *handles
}

func (h *handles) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := h.Dir.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	h.open++
	h.ever++
	return handle{f, h}, nil
}

func (f handle) Close() error {
	f.h.open--
	return f.File.Close()
}

func TestScenario082NoFileStaysOpen(t *testing.T) {
	h := &handles{Dir: mem.Dir()}
	c, _ := one(1)
	path := mustPlainSave(t, c, h)
	later := New(nil, nil, nil)
	mustRestore(t, later, h, path)
	if h.open != 0 || h.ever == 0 {
		t.Errorf("after Restore %d of %d files are open, want 0", h.open, h.ever)
	}
	v := variable(0)
	later.Track("v", v)
	if h.open != 0 || v.Value[0] != 1 {
		t.Errorf("after the deferred restore %d files are open, v = %v, want 0 and 1", h.open, v.Value[0])
	}
	broken, _ := one(0)
	broken.Track("v", variable(0, 0))
	if _, err := broken.Restore(background(), h, path); err == nil || h.open != 0 {
		t.Errorf("Restore into another shape = %v with %d files open, want an error and 0", err, h.open)
	}
}

func TestScenario086StatusOutlivesTheCheckpoint(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	path := mustPlainSave(t, c, dir)
	s := mustRestore(t, New(nil, Objects{"v": variable(0)}, nil), dir, path)
	runtime.GC()
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
}

// A frozen saver is of TensorFlow's graph mode; what counts is that its
// checkpoint is restored by objects.
func TestScenario088CounterAtOnceVariableWhenAttached(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(3)
	counter, err := c.makeCounter()
	if err != nil {
		t.Fatal(err)
	}
	counter.Value[0] = 12
	mustWrite(t, c, dir, "frozen")
	fresh := New(nil, nil, nil)
	mustRestore(t, fresh, dir, "frozen")
	if fresh.SaveCounter() != 12 {
		t.Errorf("SaveCounter = %d, want 12", fresh.SaveCounter())
	}
	v := variable(0)
	fresh.Track("v", v)
	if v.Value[0] != 3 {
		t.Errorf("v = %v, want 3", v.Value[0])
	}
}

// Where TensorFlow gives a status whose assertions all fail, there is an error.
func TestScenario089RestoringNothingIsAnError(t *testing.T) {
	c, v := one(7)
	for _, path := range []string{"", "none"} {
		s, err := c.Restore(background(), mem.Dir(), path)
		if s != nil || !errors.Is(err, fs.ErrNotExist) || v.Value[0] != 7 {
			t.Errorf("Restore(%q) = %v, %v, want fs.ErrNotExist", path, s, err)
		}
	}
	// What begins anew where there is nothing is RestoreOrInitialize.
	called := false
	m := newManager(t, c, mem.Dir(), &ManagerOptions{InitFn: func(context.Context) error { called = true; return nil }})
	if path, err := m.RestoreOrInitialize(background()); path != "" || err != nil || !called {
		t.Errorf("RestoreOrInitialize = %q, %v, InitFn called %v, want it called", path, err, called)
	}
}

func TestViewReadsTheGraphAlone(t *testing.T) {
	dir := mem.Dir()
	leaf := new(trackable.Node).Track("v", variable(1))
	path := mustPlainSave(t, New(new(trackable.Node).Track("leaf", leaf), nil, nil), dir)
	g, err := View(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := g.Diff(new(trackable.Node).Track("leaf", new(trackable.Node)))
	if err != nil || len(d.Matched) != 2 || len(d.OnlyStored) != 2 {
		t.Errorf("Diff = %+v, %v, want leaf matched, v and save_counter not", d, err)
	}
	_, err = View(background(), local.Dir("../format/tensorbundle/testdata/tf"), "tf1")
	if !errors.Is(err, format.ErrNoTensor) || !strings.Contains(err.Error(), "view tf1: not object-based") {
		t.Errorf("View of a name-based checkpoint = %v, want format.ErrNoTensor", err)
	}
	if _, err := View(background(), dir, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("View of nothing = %v, want fs.ErrNotExist", err)
	}
}

func TestModeOfACheckpoint(t *testing.T) {
	dir := mem.Dir()
	c := New(nil, Objects{"a": variable(1), "b": variable(1, 2), "c": trackable.NewScalar("", 0.5)}, nil)
	m := newManager(t, c, dir, nil)
	path := mustSave(t, m, nil)
	a, b, third, fresh := variable(0), variable(0), variable(0), variable(0)
	third.Shape = nil
	objects := Objects{"a": a, "b": b, "c": third, "new": fresh}
	if _, err := New(nil, objects, nil).Restore(background(), dir, path); !errors.Is(err, trackable.ErrNotMatched) || a.Value[0] != 0 {
		t.Errorf("Restore = %v, a = %v, want ErrNotMatched and 0", err, a.Value[0])
	}
	o := &Options{Mode: trackable.SkipMismatched | trackable.Cast}
	s := mustRestore(t, New(nil, objects, o), dir, path)
	if a.Value[0] != 1 || b.Value[0] != 0 || third.Value[0] != 0.5 || len(s.Skipped()) != 2 || len(s.Converted()) != 1 {
		t.Errorf("a, b, c = %v %v %v, skipped %v, converted %v", a.Value, b.Value, third.Value, s.Skipped(), s.Converted())
	}
	a.Value[0] = 0
	again := newManager(t, New(nil, objects, o), dir, nil)
	if got, err := again.RestoreOrInitialize(background()); got != path || err != nil || a.Value[0] != 1 {
		t.Errorf("RestoreOrInitialize = %q, %v, a = %v, want %s, nil, 1", got, err, a.Value[0], path)
	}
}
