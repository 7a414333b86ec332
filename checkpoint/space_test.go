package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// small is a directory on a disk of so many bytes.
type small struct {
	storage.Dir
	total int64
}

func (s small) Space(ctx context.Context) (storage.Space, error) {
	u, err := MeasureDisk(ctx, s.Dir)
	return storage.Space{Free: max(0, s.total-u.Unique), Total: s.total}, err
}

func (s small) Share(ctx context.Context, oldname, newname string) (storage.Pending, error) {
	return storage.Share(ctx, s.Dir, oldname, newname)
}

// onSmall returns a manager of a variable of 4,000 bytes on a disk of so many
// bytes, what is done to the disk, and what the manager logs.
func onSmall(t *testing.T, total int64, o *ManagerOptions) (*Manager, *tracer, *bytes.Buffer) {
	t.Helper()
	var tr tracer
	var log bytes.Buffer
	c := New(nil, Objects{"v": variable(make([]float32, 1000)...)}, nil)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	o.Now = at(1000).tick
	return newManager(t, c, small{storage.WithTrace(mem.Dir(), tr.tell), total}, o), &tr, &log
}

// Proves D16.
func TestASaveThatCannotFitIsRefusedWithNumbers(t *testing.T) {
	m, tr, _ := onSmall(t, 7000, &ManagerOptions{MaxToKeep: 2})
	mustSave(t, m, nil)
	tr.take("")
	path, err := m.Save(background(), nil)
	var refused *NoSpaceError
	if path != "" || !errors.As(err, &refused) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Save = %q, %v, want a NoSpaceError", path, err)
	}
	if refused.Need != 4008 || refused.Space.Total != 7000 || refused.Space.Free >= refused.Need || refused.Missing() != refused.Need-refused.Space.Free {
		t.Errorf("Need %d, Space %+v, Missing %d", refused.Need, refused.Space, refused.Missing())
	}
	if text := err.Error(); !strings.HasPrefix(text, "save ckpt-2: no room: 4008 bytes are needed, ") || !strings.Contains(text, " of 7000 bytes are free, so ") {
		t.Errorf("Save: %v", err)
	}
	if did := tr.take(""); strings.Contains(did, "create") || strings.Contains(did, "remove") {
		t.Errorf("a save that was refused did\n%s", did)
	}
	if got := m.Checkpoint().SaveCounter(); got != 1 {
		t.Errorf("save counter = %d after a save that was refused, want 1", got)
	}
}

func TestARefusedSaveWorksOnceThereIsRoom(t *testing.T) {
	disk := mem.Dir()
	writeFile(t, disk, "others", strings.Repeat("x", 5000))
	c := New(nil, Objects{"v": variable(make([]float32, 1000)...)}, nil)
	m := newManager(t, c, small{disk, 8000}, nil)
	if _, err := m.Save(background(), nil); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Save = %v, want ENOSPC", err)
	}
	remove(t, disk, "others")
	if path := mustSave(t, m, nil); path != "ckpt-1" {
		t.Errorf("Save = %q, want ckpt-1", path)
	}
}

func TestPlainSavesAreRefusedToo(t *testing.T) {
	c := New(nil, Objects{"v": variable(make([]float32, 1000)...)}, nil)
	dir := small{mem.Dir(), 3000}
	if _, err := c.Save(background(), dir, "ckpt"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Save = %v, want ENOSPC", err)
	}
	if err := c.Write(background(), dir, "x"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Write = %v, want ENOSPC", err)
	}
}

func TestParityNeedsRoomToo(t *testing.T) {
	c := New(nil, Objects{"v": variable(make([]float32, 1000)...)}, &Options{Parity: true})
	var refused *NoSpaceError
	if err := c.Write(background(), small{mem.Dir(), 4100}, "x"); !errors.As(err, &refused) || refused.Need != 4500 {
		t.Errorf("Write = %v, want to need 4500 bytes", err)
	}
}

func TestAnAsynchronousSaveThatCannotFitIsRefused(t *testing.T) {
	m, _, _ := onSmall(t, 3000, &ManagerOptions{Async: &Async{}})
	s, err := m.Begin(background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Wait = %v, want ENOSPC", err)
	}
}

func TestRoomIsMadeOfWhatWouldGoAnyway(t *testing.T) {
	m, tr, log := onSmall(t, 15000, &ManagerOptions{MaxToKeep: 2, MakeRoom: true})
	for range 2 {
		mustSave(t, m, nil)
	}
	writeFile(t, m.dir, "others", strings.Repeat("x", 3000))
	tr.take("")
	if path := mustSave(t, m, nil); path != "ckpt-3" {
		t.Fatalf("Save = %q", path)
	}
	did := tr.take("")
	removed, wrote := strings.Index(did, "remove ckpt-1.index"), strings.Index(did, "create ckpt-3")
	if removed < 0 || wrote < removed {
		t.Errorf("a save that made room did\n%s", did)
	}
	wantPaths(t, "checkpoints", onDisk(t, m.dir), "ckpt-2", "ckpt-3")
	if !strings.Contains(log.String(), "room is made before the save") {
		t.Errorf("the log says\n%s", log)
	}
}

// TestRoomIsNeverMadeOfAFloor: what is the newest until the save is done, what
// is pinned and what would not be enough stay.
//
// Proves D9.
func TestRoomIsNeverMadeOfAFloor(t *testing.T) {
	for what, test := range map[string]struct {
		keep   int
		before func(*testing.T, *Manager)
		others int
		want   []string
	}{
		"the only one": {1, func(t *testing.T, m *Manager) { mustSave(t, m, nil) }, 8000, []string{"ckpt-1"}},
		"a pinned one": {2, func(t *testing.T, m *Manager) {
			mustSave(t, m, &SaveOptions{Pin: "paper"})
			mustSave(t, m, nil)
		}, 4000, []string{"ckpt-1", "ckpt-2"}},
		"one that is not enough": {2, func(t *testing.T, m *Manager) {
			mustSave(t, m, nil)
			mustSave(t, m, nil)
			m.c.Track("more", variable(make([]float32, 1500)...))
		}, 3000, []string{"ckpt-1", "ckpt-2"}},
	} {
		m, _, _ := onSmall(t, 15000, &ManagerOptions{MaxToKeep: test.keep, MakeRoom: true})
		test.before(t, m)
		writeFile(t, m.dir, "others", strings.Repeat("x", test.others))
		if _, err := m.Save(background(), nil); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: Save = %v, want ENOSPC", what, err)
		}
		wantPaths(t, what, onDisk(t, m.dir), test.want...)
	}
}

func TestANearlyFullDiskIsToldOnce(t *testing.T) {
	m, _, log := onSmall(t, 33000, &ManagerOptions{})
	var told []int
	for range 6 {
		mustSave(t, m, nil)
		told = append(told, strings.Count(log.String(), "nearly full"))
	}
	if !slices.Equal(told, []int{0, 0, 0, 0, 1, 1}) {
		t.Errorf("told after each save %v times", told)
	}
	m, _, log = onSmall(t, 30000, &ManagerOptions{WarnBelow: -1})
	for range 5 {
		mustSave(t, m, nil)
	}
	if strings.Contains(log.String(), "nearly full") {
		t.Errorf("the log says\n%s", log)
	}
}

func TestDiskUsageAddsUp(t *testing.T) {
	dir := local.Dir(t.TempDir())
	c, _ := one(1)
	m := newManager(t, c, storage.Sub(dir, "run"), nil)
	for range 3 {
		mustSave(t, m, nil)
	}
	data := "run/ckpt-1.data-00000-of-00001"
	if err := storage.Link(background(), dir, data, "run/ckpt-1.recovery.data-00000-of-00001"); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "notes.txt", "12345")
	writeFile(t, dir, "run/.ckpt.quarantine/ckpt-0/cause.json", "{}")
	pending, err := dir.Create(background(), "run/x")
	if err != nil {
		t.Fatal(err)
	}
	u, err := MeasureDisk(background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := pending.Discard(); err != nil {
		t.Fatal(err)
	}
	size := int64(len(readFile(t, dir, data)))
	kinds := map[string]KindUsage{}
	var sum Usage
	for _, k := range u.Kinds {
		kinds[k.Kind] = k
		sum.Files, sum.Apparent, sum.Unique = sum.Files+k.Files, sum.Apparent+k.Apparent, sum.Unique+k.Unique
	}
	for kind, want := range map[string]Usage{"data": {3, 3 * size, 3 * size}, "recovery": {1, size, 0}, "other": {1, 5, 5},
		"quarantine": {1, 2, 2}, "temporary": {1, 0, 0}} {
		got := kinds[kind].Usage
		if kind == "data" || kind == "recovery" { // whichever name comes first has the bytes
			got.Unique = kinds["data"].Unique + kinds["recovery"].Unique
			want.Unique = 3 * size
		}
		if got != want {
			t.Errorf("%s = %+v, want %+v", kind, got, want)
		}
	}
	if sum != u.Usage || u.Apparent-u.Unique != size {
		t.Errorf("kinds add up to %+v, all is %+v", sum, u.Usage)
	}
	if len(u.Runs) != 2 || u.Runs[0].Dir != "" || u.Runs[1].Dir != "run" || u.Runs[1].Checkpoints != 3 || u.Runs[0].Files != 1 {
		t.Errorf("runs are %+v", u.Runs)
	}
	if u.Space == nil || u.Space.Free <= 0 || u.Space.Total < u.Space.Free {
		t.Errorf("space is %+v", u.Space)
	}
}

func TestForecastIsLinear(t *testing.T) {
	hour := time.Unix(1e9, 0)
	run := func(count int, low, high, bytes int64, hours float64) RunUsage {
		return RunUsage{Usage: Usage{Unique: bytes}, Checkpoints: count,
			names: map[string]*course{"ckpt": {count: count, low: low, high: high, from: hour, to: hour.Add(time.Duration(hours * float64(time.Hour)))}}}
	}
	now := hour.Add(9 * time.Hour)
	for what, test := range map[string]struct {
		run  RunUsage
		rate float64
		full time.Duration
	}{
		"all kept":           {run(10, 1, 10, 1000, 9), 1000 * 0.9 / 9, 99 * time.Hour},
		"the last of many":   {run(10, 91, 100, 1000, 9), 1000 * 0.09 / 9, 990 * time.Hour},
		"numbered by step":   {run(10, 1000, 10000, 1000, 9), 1000 * 0.9 / 9, 99 * time.Hour},
		"all at one moment":  {run(10, 1, 10, 1000, 0), 0, 0},
		"within seconds":     {run(10, 1, 10, 1000, 0.01), 0, 0},
		"one":                {run(1, 1, 1, 1000, 0), 0, 0},
		"long since stopped": {run(10, 1, 10, 1000, 0.5), 0, 0},
	} {
		u := DiskUsage{Runs: []RunUsage{test.run}, Space: &storage.Space{Free: 10000, Total: 20000}}
		f := u.Forecast(now)
		if test.rate == 0 {
			if f != nil {
				t.Errorf("%s: Forecast = %+v, want none", what, *f)
			}
			continue
		}
		if f == nil || f.PerHour != test.rate || f.Full.Round(time.Minute) != test.full {
			t.Errorf("%s: Forecast = %+v, want %v in an hour, full in %v", what, f, test.rate, test.full)
		}
	}
}

func TestSizeOfIsWhatIsSaved(t *testing.T) {
	type model struct {
		W    [][]float32
		Name string
		Step int
		Tags []string
	}
	v := variable(1, 2, 3)
	m, err := trackable.Struct(&model{W: [][]float32{{1, 2}, {3, 4}, {5, 6}}, Name: "abc", Tags: []string{"x", "yz"}})
	if err != nil {
		t.Fatal(err)
	}
	c := New(nil, Objects{"v": v, "m": m}, nil)
	var w writing
	err = c.hand(&w)
	n := w.Need
	if want := int64(12 + 24 + 3 + 8 + 3); err != nil || n != want {
		t.Errorf("a save needs %d, %v, want %d", n, err, want)
	}
}
