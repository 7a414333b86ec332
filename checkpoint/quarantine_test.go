package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// lockDir is memory with locks, which others may hold.
type lockDir struct {
	storage.Dir
	turns storage.Turns
	held  error
}

func withLocks(dir storage.Dir) *lockDir { return &lockDir{Dir: dir, turns: storage.NewTurns()} }

func (l *lockDir) Lock(context.Context, string) (storage.Held, error) {
	return heldLock{storage.NewTurns()}, l.held
}

type heldLock struct{ storage.Turns }

func (heldLock) Unlock() error { return nil }

// threeSaved returns a directory of ckpt-1 to ckpt-3, the values being their
// numbers.
func threeSaved(t *testing.T) *lockDir {
	t.Helper()
	return withLocks(savedBy(t, ManagerOptions{}, 3))
}

// healed restores by a manager of its own.
func healed(t *testing.T, dir storage.Dir, o *ManagerOptions) (path string, value float32, passed []Broken, err error) {
	t.Helper()
	c, v := one(-1)
	m := newManager(t, c, dir, o)
	path, err = m.RestoreLatestValid(background())
	return path, v.Value[0], m.PassedOver(), err
}

// TestABrokenNewestIsPutAside: by every kind of damage, it goes to another
// place with all that is left of it, and the one before is taken. Proves D20, D21.
//
// Proves D20, D21.
func TestABrokenNewestIsPutAside(t *testing.T) {
	for _, d := range damages {
		if d.name == "receipt is broken" || d.name == "data file grew" || d.name == "index is gone" {
			continue // the tensors are whole, or it is no checkpoint any more
		}
		dir := threeSaved(t)
		d.do(t, dir, "ckpt-3")
		was := contents(t, dir)
		log, text := logged()
		path, value, passed, err := healed(t, dir, &ManagerOptions{Logger: log})
		if path != "ckpt-2" || value != 2 || err != nil {
			t.Fatalf("%s: RestoreLatestValid() = %q, %v with %v, want ckpt-2", d.name, path, err, value)
		}
		if len(passed) != 1 || passed[0].Quarantined != ".ckpt.quarantine/ckpt-3" || !errors.Is(passed[0].Err, d.want) {
			t.Errorf("%s: PassedOver() = %+v, want ckpt-3 put aside", d.name, passed)
		}
		if !strings.Contains(text.String(), "put a broken checkpoint aside") {
			t.Errorf("%s: log = %q, want it told", d.name, text)
		}
		now := contents(t, dir)
		for name := range was {
			to := path3(name)
			if now[to] != was[name] && name != "checkpoint" {
				t.Errorf("%s: %s is not in %s as it was", d.name, name, to)
			}
		}
		for name := range now {
			if strings.HasPrefix(name, "ckpt-3.") {
				t.Errorf("%s: %s is left", d.name, name)
			}
		}
		if s := readState(t, dir); s.ModelCheckpointPath != "ckpt-2" || contains(s.AllModelCheckpointPaths, "ckpt-3") {
			t.Errorf("%s: state = %+v, want ckpt-2 and no ckpt-3", d.name, s)
		}
	}
}

// path3 returns where a file of ckpt-3 goes, and others stay.
func path3(name string) string {
	if strings.HasPrefix(name, "ckpt-3.") {
		return path.Join(".ckpt.quarantine/ckpt-3", name)
	}
	return name
}

// broken3 is a directory in which a bit of ckpt-3's data is wrong.
func broken3(t *testing.T) *lockDir {
	t.Helper()
	dir := threeSaved(t)
	flipMiddle(t, dir, dataOf("ckpt-3"))
	return dir
}

func TestTheCauseIsWrittenBesideIt(t *testing.T) {
	dir := broken3(t)
	if err := Pin(background(), dir, "ckpt-3", "the paper"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := healed(t, dir, &ManagerOptions{Now: at(5000).now}); err != nil {
		t.Fatal(err)
	}
	var j causeJSON
	if err := json.Unmarshal([]byte(readFile(t, dir, ".ckpt.quarantine/ckpt-3/cause.json")), &j); err != nil {
		t.Fatal(err)
	}
	if j.Path != "ckpt-3" || j.File != dataOf("ckpt-3") || j.Tensor == "" || j.PID == 0 || !j.Time.Equal(at(5000).now()) ||
		!strings.Contains(j.Cause, "crc32c is") || len(j.Files) != 3 || j.PutBack == "" {
		t.Errorf("cause.json = %+v", j)
	}
	list, err := Quarantined(background(), dir)
	if err != nil || len(list) != 1 {
		t.Fatalf("Quarantined() = %+v, %v, want one", list, err)
	}
	c := list[0]
	if c.Path != "ckpt-3" || c.Where != ".ckpt.quarantine/ckpt-3" || c.Pinned != "the paper" || c.Cause != j.Cause || c.File != j.File || c.Size == 0 || c.Err != nil {
		t.Errorf("Quarantined() = %+v", c)
	}
}

// TestItsNumberIsNotUsedAgain: neither by this manager, nor by the next, nor by
// a plain save. Proves D8.
func TestItsNumberIsNotUsedAgain(t *testing.T) {
	for _, save := range []func(c *Checkpoint, m *Manager, dir storage.Dir) (string, error){
		func(_ *Checkpoint, m *Manager, _ storage.Dir) (string, error) { return m.Save(background(), nil) },
		func(c *Checkpoint, _ *Manager, dir storage.Dir) (string, error) {
			return c.Save(background(), dir, "ckpt")
		},
	} {
		for _, again := range []bool{false, true} {
			dir := broken3(t)
			c, _ := one(-1)
			m := newManager(t, c, dir, nil)
			if _, err := m.RestoreLatestValid(background()); err != nil {
				t.Fatal(err)
			}
			if again {
				c, _ = one(-1)
				m = newManager(t, c, dir, nil)
				if got, err := m.RestoreOrInitialize(background()); got != "ckpt-2" || err != nil {
					t.Fatalf("RestoreOrInitialize() = %q, %v, want ckpt-2", got, err)
				}
			}
			if got, err := save(c, m, dir); got != "ckpt-4" || err != nil {
				t.Errorf("next save = %q, %v, want ckpt-4", got, err)
			}
		}
	}
}

// TestTheLastOneLeftStays. Proves D20, D21.
func TestTheLastOneLeftStays(t *testing.T) {
	dir := threeSaved(t)
	for _, p := range []string{"ckpt-1", "ckpt-2", "ckpt-3"} {
		flipMiddle(t, dir, dataOf(p))
	}
	was := contents(t, dir)
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrNoneValid) || !errors.Is(err, ErrLastLeft) || errors.Is(err, fs.ErrNotExist) ||
			!strings.Contains(err.Error(), "all stay where they are") {
			t.Errorf("%s = %v, want ErrNoneValid and ErrLastLeft", what, err)
		}
		wantContents(t, what, dir, was)
	}
	_, _, passed, err := healed(t, dir, nil)
	check("RestoreLatestValid()", err)
	if len(passed) != 3 || passed[0].Quarantined != "" {
		t.Errorf("PassedOver() = %+v, want three that stay", passed)
	}
	_, _, err = LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
	check("LatestValid(Quarantine)", err)
	if _, err := Quarantine(background(), dir, "ckpt-3", nil); !errors.Is(err, ErrLastLeft) {
		t.Errorf("Quarantine() = %v, want ErrLastLeft", err)
	}
	wantContents(t, "Quarantine()", dir, was)
}

// TestReadersPutNothingAside: who does not get the lock passes over, and tells.
// Proves D21.
func TestReadersPutNothingAside(t *testing.T) {
	for _, held := range []error{storage.ErrLocked, fs.ErrPermission, errors.ErrUnsupported} {
		dir := broken3(t)
		dir.held = held
		was := contents(t, dir)
		log, text := logged()
		path, value, passed, err := healed(t, dir, &ManagerOptions{Logger: log})
		if path != "ckpt-2" || value != 2 || err != nil || len(passed) != 1 || passed[0].Quarantined != "" {
			t.Errorf("%v: RestoreLatestValid() = %q, %v, %+v, want ckpt-2 and ckpt-3 where it is", held, path, err, passed)
		}
		if !strings.Contains(text.String(), "broken checkpoints stay where they are") {
			t.Errorf("%v: log = %q", held, text)
		}
		wantContents(t, "RestoreLatestValid()", dir, was)
		path, passed, err = LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
		if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined != "" {
			t.Errorf("%v: LatestValid(Quarantine) = %q, %+v, %v", held, path, passed, err)
		}
		wantContents(t, "LatestValid()", dir, was)
		if _, err := Quarantine(background(), dir, "ckpt-3", nil); !errors.Is(err, held) {
			t.Errorf("Quarantine() = %v, want %v", err, held)
		}
	}
}

// flaky is a Dir that reads a file wrong, or not at all, for some time.
type flaky struct {
	*lockDir
	mu   sync.Mutex
	name string
	bad  int // readings of it that are wrong
	err  error
}

func (f *flaky) Open(ctx context.Context, name string) (storage.File, error) {
	file, err := f.lockDir.Open(ctx, name)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || name != f.name || f.bad == 0 {
		return file, err
	}
	f.bad--
	return flakyFile{file, f.err}, nil
}

type flakyFile struct {
	storage.File
	err error
}

func (f flakyFile) ReadAt(b []byte, off int64) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.File.ReadAt(b, off)
	if n > 0 {
		b[0] ^= 1
	}
	return n, err
}

// TestWhatIsWholeAtASecondLookIsRestored: a bit that was wrong on its way is no
// damage of the file. Proves D21.
func TestWhatIsWholeAtASecondLookIsRestored(t *testing.T) {
	dir := &flaky{lockDir: threeSaved(t), name: dataOf("ckpt-3"), bad: 1}
	was := contents(t, dir.lockDir)
	path, value, passed, err := healed(t, dir, nil)
	if path != "ckpt-3" || value != 3 || err != nil || len(passed) != 0 {
		t.Errorf("RestoreLatestValid() = %q, %v, %v, %+v, want ckpt-3", path, value, err, passed)
	}
	dir.bad = 1
	path, passed, err = LatestValid(background(), dir, &LatestValidOptions{Quarantine: true})
	if path != "ckpt-3" || err != nil || len(passed) != 0 {
		t.Errorf("LatestValid(Quarantine) = %q, %+v, %v, want ckpt-3", path, passed, err)
	}
	dir.bad = 1
	if _, err := Quarantine(background(), dir, "ckpt-3", nil); !errors.Is(err, ErrWhole) {
		t.Errorf("Quarantine() = %v, want ErrWhole", err)
	}
	dir.bad = 2 // at the restore and the second look; the third is under the lock
	path, _, passed, err = healed(t, dir, nil)
	if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Quarantined != "" {
		t.Errorf("RestoreLatestValid() = %q, %+v, %v, want ckpt-2 and ckpt-3 where it is", path, passed, err)
	}
	if dir.bad != 0 {
		t.Errorf("%d bad readings are left", dir.bad)
	}
	wantContents(t, "after all", dir.lockDir, was)
}

// TestAPlaceThatFailsPutsNothingAside: such an error ends the call, whenever it
// comes. Proves D21.
func TestAPlaceThatFailsPutsNothingAside(t *testing.T) {
	for bad := 1; bad <= 3; bad++ {
		dir := &flaky{lockDir: broken3(t), name: dataOf("ckpt-3"), bad: bad, err: &fs.PathError{Op: "read", Path: "x", Err: errDisk}}
		was := contents(t, dir.lockDir)
		if path, _, _, err := healed(t, dir, nil); path != "" || !errors.Is(err, errDisk) {
			t.Errorf("RestoreLatestValid() = %q, %v, want the disk's error", path, err)
		}
		dir.bad = bad
		if path, _, err := LatestValid(background(), dir, &LatestValidOptions{Quarantine: true}); path != "" || !errors.Is(err, errDisk) {
			t.Errorf("LatestValid(Quarantine) = %q, %v, want the disk's error", path, err)
		}
		wantContents(t, "after it", dir.lockDir, was)
	}
}

func TestAFileThatIsListedIsNotMissing(t *testing.T) {
	dir := threeSaved(t)
	hidden := opened{failing{dir, func(op, name string) error {
		if op == "open" && name == dataOf("ckpt-3") {
			return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
		return nil
	}}}
	was := contents(t, dir)
	place := &lockDir{Dir: hidden, turns: storage.NewTurns()}
	log, text := logged()
	if path, _, _, err := healed(t, place, &ManagerOptions{Logger: log}); path != "ckpt-2" || err != nil {
		t.Errorf("RestoreLatestValid() = %q, %v, want ckpt-2", path, err)
	}
	wantWarning(t, text, "that a listing shows")
	wantContents(t, "after it", dir, was)
}

// mortalLocks is a mortal with locks.
type mortalLocks struct{ *mortal }

func (mortalLocks) Lock(context.Context, string) (storage.Held, error) {
	return heldLock{storage.NewTurns()}, nil
}

// TestPuttingAsideSurvivesACrashAfterEachChange: what is left of the broken one
// is in one of the two places, the good one is restored, and the next call ends
// what was begun. Proves D6, D21.
func TestPuttingAsideSurvivesACrashAfterEachChange(t *testing.T) {
	whole := contents(t, broken3(t))
	prepare := func(dir storage.Dir) {
		for name, text := range whole {
			writeFile(t, dir, name, text)
		}
	}
	run := func(dir storage.Dir, done func()) {
		c, _ := one(-1)
		m, err := NewManager(background(), c, mortalLocks{dir.(*mortal)}, nil)
		if err == nil {
			if _, err = m.RestoreLatestValid(background()); err == nil {
				done()
			}
		}
	}
	check := func(t *testing.T, left storage.Dir, _ int) {
		now := contents(t, left)
		for name, text := range whole {
			if now[name] != text && now[path3(name)] != text && name != "checkpoint" {
				t.Errorf("%s is lost", name)
			}
		}
		dir := withLocks(left)
		if path, value, _, err := healed(t, dir, nil); path != "ckpt-2" || value != 2 || err != nil {
			t.Errorf("RestoreLatestValid() = %q, %v, %v, want ckpt-2", path, value, err)
		}
		c, _ := one(9)
		if got, err := newManager(t, c, dir, nil).Save(background(), nil); got != "ckpt-4" || err != nil {
			t.Errorf("Save() = %q, %v, want ckpt-4", got, err)
		}
		now = contents(t, left)
		for name, text := range whole {
			if now[path3(name)] != text && now[strings.Replace(path3(name), "/ckpt-3/", "/ckpt-3.2/", 1)] != text && name != "checkpoint" {
				t.Errorf("%s was not put aside in the end", name)
			}
		}
	}
	cut(t, prepare, run, check)
}

func TestOrderOfPuttingAside(t *testing.T) {
	var tr tracer
	dir := storage.WithTrace(broken3(t), tr.tell)
	c, _ := one(-1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(5000).now})
	tr.take("")
	if _, err := m.RestoreLatestValid(background()); err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "quarantine_order.txt", []byte(tr.take("a broken checkpoint is put aside")))
}

// TestItComesBack puts back what was put aside, twice: the second time it has
// another place.
func TestItComesBack(t *testing.T) {
	dir := broken3(t)
	was := contents(t, dir)
	delete(was, "checkpoint")
	for _, want := range []string{".ckpt.quarantine/ckpt-3", ".ckpt.quarantine/ckpt-3"} {
		where, err := Quarantine(background(), dir, "ckpt-3", nil)
		if where != want || err != nil {
			t.Fatalf("Quarantine() = %q, %v, want %q", where, err, want)
		}
		if err := Unquarantine(background(), dir, where); err != nil {
			t.Fatal(err)
		}
		now := contents(t, dir)
		delete(now, "checkpoint")
		if !maps.Equal(now, was) {
			t.Errorf("after Unquarantine() there is %v, want %v", listing(t, dir), was)
		}
	}
	where, err := Quarantine(background(), dir, "ckpt-3", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range was { // by hand, by copying
		if strings.HasPrefix(name, "ckpt-3.") {
			writeFile(t, dir, name, text)
		}
	}
	if err := Unquarantine(background(), dir, where); err != nil {
		t.Errorf("Unquarantine() of what is there already = %v", err)
	}
	if where, err = Quarantine(background(), dir, "ckpt-3", nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "ckpt-3.index", "another")
	if err := Unquarantine(background(), dir, where); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Unquarantine() over another = %v, want fs.ErrExist", err)
	}
	for _, where := range []string{"", "ckpt-3", ".ckpt.quarantine", "../.ckpt.quarantine/ckpt-3", ".ckpt.quarantine/none"} {
		if err := Unquarantine(background(), dir, where); err == nil {
			t.Errorf("Unquarantine(%q) = nil, want an error", where)
		}
	}
}

func TestASecondBrokenOneOfANumberHasItsOwnPlace(t *testing.T) {
	dir := broken3(t)
	first, err := Quarantine(background(), dir, "ckpt-3", nil)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := one(33)
	if _, err := newManager(t, c, dir, nil).Save(background(), &SaveOptions{CheckpointNumber: number64(3)}); err != nil {
		t.Fatal(err)
	}
	flipMiddle(t, dir, dataOf("ckpt-3"))
	second, err := Quarantine(background(), dir, "ckpt-3", nil)
	if first != ".ckpt.quarantine/ckpt-3" || second != ".ckpt.quarantine/ckpt-3.2" || err != nil {
		t.Errorf("Quarantine() = %q, then %q, %v", first, second, err)
	}
	if list, err := Quarantined(background(), dir); len(list) != 2 || err != nil {
		t.Errorf("Quarantined() = %+v, %v, want two", list, err)
	}
}

func TestWhatLiesInTheQuarantineIsNotBelieved(t *testing.T) {
	dir := broken3(t)
	if list, err := Quarantined(background(), dir); list != nil || err != nil {
		t.Errorf("Quarantined() = %+v, %v, want none", list, err)
	}
	writeFile(t, dir, ".ckpt.quarantine/README", "hello")
	writeFile(t, dir, ".ckpt.quarantine/a/cause.json", `{"path": "../../etc/passwd"}`)
	writeFile(t, dir, ".ckpt.quarantine/b/ckpt-9.index", "x")
	writeFile(t, dir, ".ckpt.quarantine/c/ckpt-8.index", "x")
	writeFile(t, dir, ".ckpt.quarantine/c/cause.json", "{")
	list, err := Quarantined(background(), dir)
	if err != nil || len(list) != 2 || list[0].Path != "ckpt-9" || list[1].Path != "ckpt-8" || !errors.Is(list[1].Err, format.ErrCorrupt) {
		t.Errorf("Quarantined() = %+v, %v, want ckpt-9 and ckpt-8", list, err)
	}
	if _, err := Latest(background(), dir); err != nil {
		t.Errorf("Latest() = %v", err)
	}
	if list, err := List(background(), dir, nil); len(list) != 3 || err != nil {
		t.Errorf("List() = %+v, %v, want three", list, err)
	}
}

// TestOnlyOnesOwnArePutAside. Proves D11.
func TestOnlyOnesOwnArePutAside(t *testing.T) {
	dir := threeSaved(t)
	c, v := one(-1)
	if _, err := c.Save(background(), dir, "other"); err != nil {
		t.Fatal(err)
	}
	flipMiddle(t, dir, dataOf("other-1"))
	m := newManager(t, c, dir, nil)
	path, err := m.RestoreLatestValid(background())
	if path != "ckpt-3" || v.Value[0] != 3 || err != nil || len(m.PassedOver()) != 1 || m.PassedOver()[0].Quarantined != "" {
		t.Errorf("RestoreLatestValid() = %q, %v, %+v, want ckpt-3 and other-1 where it is", path, err, m.PassedOver())
	}
}

func TestWithoutAnyCheckpointThereIsNoneToRestore(t *testing.T) {
	if path, _, _, err := healed(t, withLocks(mem.Dir()), nil); path != "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("RestoreLatestValid() = %q, %v, want fs.ErrNotExist", path, err)
	}
}

func TestPuttingAsideOnADisk(t *testing.T) {
	dir := local.Dir(t.TempDir())
	c, v := one(0)
	m := newManager(t, c, dir, nil)
	for i := range 3 {
		v.Value[0] = float32(i + 1)
		mustSave(t, m, nil)
	}
	flipMiddle(t, dir, dataOf("ckpt-3"))
	remove(t, dir, dataOf("ckpt-2"))
	path, err := m.RestoreLatestValid(background())
	if path != "ckpt-1" || err != nil || v.Value[0] != 1 {
		t.Errorf("RestoreLatestValid() = %q, %v, want ckpt-1", path, err)
	}
	if got := mustSave(t, m, nil); got != "ckpt-4" {
		t.Errorf("Save() = %q, want ckpt-4", got)
	}
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-4")
	wantPaths(t, "files", listing(t, dir), ".ckpt.quarantine/ckpt-2/cause.json", ".ckpt.quarantine/ckpt-2/ckpt-2.index", ".ckpt.quarantine/ckpt-2/ckpt-2.receipt.json",
		".ckpt.quarantine/ckpt-3/cause.json", ".ckpt.quarantine/ckpt-3/ckpt-3.data-00000-of-00001", ".ckpt.quarantine/ckpt-3/ckpt-3.index", ".ckpt.quarantine/ckpt-3/ckpt-3.receipt.json",
		"checkpoint", "ckpt-1.data-00000-of-00001", "ckpt-1.index", "ckpt-1.receipt.json", "ckpt-4.data-00000-of-00001", "ckpt-4.index", "ckpt-4.receipt.json")
}
