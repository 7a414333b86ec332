package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// A path object is a string in Go; what its test says holds for a directory
// of the file system.
func TestScenario009And010ManagerOfADirectoryOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "run")
	c, _ := one(1)
	m := newManager(t, c, local.Dir(path), nil)
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("NewManager made %s: %v", filepath.Dir(path), err)
	}
	saved := mustSave(t, m, nil)
	if got, err := m.RestoreOrInitialize(background()); got != saved || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want %q", got, err, saved)
	}
	if got, err := Latest(background(), local.Dir(path)); got != saved || err != nil {
		t.Errorf("Latest() = %q, %v, want %q", got, err, saved)
	}
}

func TestScenario025RelativeDirectory(t *testing.T) {
	base := t.TempDir()
	t.Chdir(base)
	c, v := one(3)
	m := newManager(t, c, local.Dir("run"), nil)
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	// TensorFlow's would be run/ckpt-2, of no use from anywhere else.
	if got := m.LatestCheckpoint(); got != "ckpt-2" {
		t.Errorf("LatestCheckpoint() = %q, want ckpt-2", got)
	}
	wantPaths(t, "state's paths", readState(t, local.Dir("run")).AllModelCheckpointPaths, "ckpt-1", "ckpt-2")
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	// Moved, and opened by its absolute path from another directory.
	if err := os.Rename("run", "moved"); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	v.Value[0] = 0
	m = newManager(t, c, local.Dir(filepath.Join(base, "moved")), &ManagerOptions{MaxToKeep: 2})
	if got, err := m.RestoreOrInitialize(background()); got != "ckpt-2" || err != nil || v.Value[0] != 3 {
		t.Errorf("RestoreOrInitialize() = %q, %v, v = %v, want ckpt-2 and 3", got, err, v.Value[0])
	}
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, local.Dir(filepath.Join(base, "moved"))), "ckpt-2", "ckpt-3")
}

func TestScenario046ExistsUntilItIsRemoved(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	// A checkpoint of two data files, as sharded savers write.
	if err := c.Write(background(), dir, "w"); err != nil {
		t.Fatal(err)
	}
	data := readFile(t, dir, "w.data-00000-of-00001")
	for _, p := range []string{"ckpt-1", "sharded"} {
		wantExists(t, p, dir, false)
		writeFile(t, dir, p+".index", readFile(t, dir, "w.index"))
		writeFile(t, dir, p+".data-00000-of-00002", data)
		writeFile(t, dir, p+".data-00001-of-00002", "")
		wantExists(t, p, dir, true)
	}
	if err := Remove(background(), dir, "ckpt-1", "sharded", "w"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"ckpt-1", "sharded", "w"} {
		wantExists(t, p, dir, false)
	}
	wantPaths(t, "files", listing(t, dir))
}

func wantExists(t *testing.T, path string, dir storage.Dir, want bool) {
	t.Helper()
	if got, err := Exists(background(), dir, path); got != want || err != nil {
		t.Errorf("Exists(%s) = %v, %v, want %v", path, got, err, want)
	}
}

func TestScenario047TimesOfCheckpoints(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: now.tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	times := func() (list []time.Time) {
		found, err := List(background(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range found {
			list = append(list, l.Time)
		}
		return list
	}
	if got := times(); len(got) != 2 || got[1].Before(got[0]) {
		t.Errorf("times = %v, want two in order", got)
	}
	remove(t, dir, "ckpt-1.index")
	if got := times(); len(got) != 1 {
		t.Errorf("times = %v, want one: the other checkpoint is gone", got)
	}
}

func TestRemoveTakesCheckpointsOffTheStateFile(t *testing.T) {
	for _, test := range []struct {
		remove []string
		latest string
		listed []string
	}{
		{[]string{"ckpt-2"}, "ckpt-3", []string{"ckpt-1", "ckpt-3"}},
		{[]string{"ckpt-3"}, "ckpt-2", []string{"ckpt-1", "ckpt-2"}},
		{[]string{"ckpt-3", "ckpt-1"}, "ckpt-2", []string{"ckpt-2"}},
		{[]string{"other"}, "ckpt-3", []string{"ckpt-1", "ckpt-2", "ckpt-3"}},
		{[]string{"ckpt-1", "ckpt-2", "ckpt-3"}, "other", []string{"other"}},
	} {
		dir := savedBy(t, ManagerOptions{}, 3)
		c, _ := one(9)
		if err := c.Write(background(), dir, "other"); err != nil {
			t.Fatal(err)
		}
		before := readState(t, dir)
		if err := Remove(background(), dir, test.remove...); err != nil {
			t.Fatal(err)
		}
		s := readState(t, dir)
		if s.ModelCheckpointPath != test.latest || !slices.Equal(s.AllModelCheckpointPaths, test.listed) {
			t.Errorf("after Remove(%v) the state has %q of %v, want %q of %v", test.remove, s.ModelCheckpointPath, s.AllModelCheckpointPaths, test.latest, test.listed)
		}
		if !s.LastPreservedTimestamp.Equal(before.LastPreservedTimestamp) {
			t.Errorf("after Remove(%v) the last preserved is of %v, want %v", test.remove, s.LastPreservedTimestamp, before.LastPreservedTimestamp)
		}
		now := at(2000)
		m := newManager(t, c, dir, &ManagerOptions{Now: now.tick})
		if test.latest != "other" {
			wantPaths(t, "Checkpoints()", m.Checkpoints(), test.listed...)
		}
	}
}

// TestRemoveTakesWhatIsGoneOffTheStateFile: somebody has removed its files.
func TestRemoveTakesWhatIsGoneOffTheStateFile(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 3)
	for _, name := range listing(t, dir) {
		if strings.HasPrefix(name, "ckpt-2.") {
			remove(t, dir, name)
		}
	}
	if err := Remove(background(), dir, "ckpt-2"); err != nil {
		t.Fatal(err)
	}
	wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "ckpt-1", "ckpt-3")
}

func TestRemoveOfTheLastCheckpointRemovesTheStateFile(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	for _, prefix := range []string{"ckpt", "below/ckpt"} {
		p, err := c.Save(background(), dir, prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := Remove(background(), dir, p); err != nil {
			t.Fatal(err)
		}
		wantPaths(t, "files", listing(t, dir))
	}
}

func TestRemoveRefusesWhatIsNoPathOfTheDirectory(t *testing.T) {
	for _, p := range []string{"", "../ckpt-1", "/ckpt-1", "checkpoint"} {
		if err := Remove(background(), mem.Dir(), p); err == nil {
			t.Errorf("Remove(%q) = nil", p)
		}
	}
}

func TestManagerNoticesWhatOthersRemoved(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 3, Now: now.tick})
	for range 3 {
		mustSave(t, m, nil)
	}
	if err := Remove(background(), dir, "ckpt-2", "ckpt-3"); err != nil {
		t.Fatal(err)
	}
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	// Were the two still counted, ckpt-1 would be gone.
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-4", "ckpt-5")
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-4", "ckpt-5")
}

func TestNewManagerDoesNotListWhatIsGone(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 4)
	for _, name := range listing(t, dir) {
		if strings.HasPrefix(name, "ckpt-2.") || strings.HasPrefix(name, "ckpt-4.") && name != "ckpt-4.receipt.json" {
			remove(t, dir, name)
		}
	}
	log, told := logged()
	c, _ := one(1)
	now := at(2000)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 3, Now: now.tick, Logger: log})
	wantWarning(t, told, "a listed checkpoint is gone")
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-3")
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-3", "ckpt-5")
}
