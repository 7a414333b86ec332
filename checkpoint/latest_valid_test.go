package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func dataOf(path string) string { return path + ".data-00000-of-00001" }

// flipMiddle changes one bit in the middle of a file.
func flipMiddle(t *testing.T, dir storage.Dir, name string) {
	t.Helper()
	data := []byte(readFile(t, dir, name))
	data[len(data)/2] ^= 1
	remove(t, dir, name)
	writeFile(t, dir, name, string(data))
}

func shorten(t *testing.T, dir storage.Dir, name string) {
	t.Helper()
	data := readFile(t, dir, name)
	remove(t, dir, name)
	writeFile(t, dir, name, data[:len(data)-1])
}

// damages are what can happen to a checkpoint's files; deep: only reading the
// data shows it.
var damages = []struct {
	name string
	do   func(t *testing.T, dir storage.Dir, path string)
	deep bool
	want error
}{
	{"data file is missing", func(t *testing.T, d storage.Dir, p string) { remove(t, d, dataOf(p)) }, false, fs.ErrNotExist},
	{"data file is short", func(t *testing.T, d storage.Dir, p string) { shorten(t, d, dataOf(p)) }, false, format.ErrCorrupt},
	{"index is short", func(t *testing.T, d storage.Dir, p string) { shorten(t, d, p+".index") }, false, format.ErrCorrupt},
	{"index is empty", func(t *testing.T, d storage.Dir, p string) { writeFile(t, d, p+".index", "") }, false, format.ErrCorrupt},
	{"bit of the index", func(t *testing.T, d storage.Dir, p string) { flipMiddle(t, d, p+".index") }, false, format.ErrCorrupt},
	{"receipt is broken", func(t *testing.T, d storage.Dir, p string) { writeFile(t, d, p+".receipt.json", "{") }, false, format.ErrCorrupt},
	{"data file grew", func(t *testing.T, d storage.Dir, p string) {
		writeFile(t, d, dataOf(p), readFile(t, d, dataOf(p))+"x")
	}, false, format.ErrCorrupt},
	{"index of another generation", func(t *testing.T, d storage.Dir, p string) {
		writeFile(t, d, p+".index", readFile(t, d, "ckpt-1.index"))
	}, false, format.ErrCorrupt},
	{"index is gone", func(t *testing.T, d storage.Dir, p string) { remove(t, d, p+".index") }, false, fs.ErrNotExist},
	{"bit of the data", func(t *testing.T, d storage.Dir, p string) { flipMiddle(t, d, dataOf(p)) }, true, format.ErrCorrupt},
}

// Proves D20.
func TestLatestValidWalksBackOverDamage(t *testing.T) {
	for _, d := range damages {
		if d.name == "receipt is broken" || d.name == "data file grew" {
			continue // these do not keep it from being restored
		}
		dir := savedBy(t, ManagerOptions{}, 3)
		d.do(t, dir, "ckpt-3")
		want, passes := "ckpt-2", 1
		if d.deep {
			want, passes = "ckpt-3", 0
		}
		path, passed, err := LatestValid(background(), dir, nil)
		if path != want || err != nil || len(passed) != passes {
			t.Errorf("%s: LatestValid() = %q, %v, %v, want %s", d.name, path, passed, err, want)
		}
		log, text := logged()
		path, passed, err = LatestValid(background(), dir, &LatestValidOptions{Deep: true, Logger: log})
		if path != "ckpt-2" || err != nil || len(passed) != 1 || passed[0].Path != "ckpt-3" || !errors.Is(passed[0].Err, d.want) {
			t.Errorf("%s: LatestValid(Deep) = %q, %v, %v, want ckpt-2 and %v of ckpt-3", d.name, path, passed, err, d.want)
		}
		if !strings.Contains(text.String(), "path=ckpt-3") {
			t.Errorf("%s: log = %q, want a warning about ckpt-3", d.name, text)
		}
	}
}

// Proves D20.
func TestLatestValidOfNoneValidIsNoFreshStart(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 3)
	for _, p := range []string{"ckpt-1", "ckpt-2", "ckpt-3"} {
		remove(t, dir, dataOf(p))
	}
	path, passed, err := LatestValid(background(), dir, nil)
	if path != "" || len(passed) != 3 || !errors.Is(err, ErrNoneValid) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LatestValid() = %q, %v, %v, want ErrNoneValid that is not fs.ErrNotExist", path, passed, err)
	}
	for _, p := range []string{"ckpt-1.index", "ckpt-2.index", "ckpt-3.index"} {
		remove(t, dir, p)
	}
	if _, _, err := LatestValid(background(), dir, nil); !errors.Is(err, ErrNoneValid) {
		t.Errorf("LatestValid() where the state file names what is gone = %v, want ErrNoneValid", err)
	}
	if _, _, err := LatestValid(background(), mem.Dir(), nil); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoneValid) {
		t.Errorf("LatestValid() of an empty directory = %v, want fs.ErrNotExist", err)
	}
}

func TestNoneValidNamesAFewOfMany(t *testing.T) {
	e := &NoneValidError{make([]Broken, 12)}
	for i := range e.Broken {
		e.Broken[i] = Broken{Path: filename.Numbered("ckpt", int64(12-i)), Err: errDisk}
	}
	got := e.Error()
	if !strings.HasPrefix(got, "no checkpoint is valid, of 12:\n\tckpt-12: ") || !strings.HasSuffix(got, "\n\tand 2 more") {
		t.Errorf("Error() = %q", got)
	}
}

func TestLatestValidGoesInTheOrderOfSaving(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	for _, n := range []int64{9, 3, 5} { // the last is the newest
		mustSave(t, m, &SaveOptions{CheckpointNumber: &n})
	}
	if _, err := c.Save(background(), dir, "other"); err != nil { // not in any list
		t.Fatal(err)
	}
	writeState(t, dir, func(s *State) { s.ModelCheckpointPath = "gone-1" })
	var got []string
	for p, err := range newestFirst(background(), dir) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	if want := []string{"gone-1", "other-4", "ckpt-5", "ckpt-3", "ckpt-9"}; !slices.Equal(got, want) {
		t.Errorf("newestFirst() = %v, want %v", got, want)
	}
}

// writeState changes the state file.
func writeState(t *testing.T, dir storage.Dir, change func(*State)) {
	t.Helper()
	s := readState(t, dir)
	change(&s)
	s.AllModelCheckpointPaths = append(s.AllModelCheckpointPaths, s.ModelCheckpointPath)
	if s.AllModelCheckpointTimestamps != nil {
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, s.LastPreservedTimestamp)
	}
	if err := WriteState(background(), dir, s); err != nil {
		t.Fatal(err)
	}
}

func TestAPlaceThatFailsIsNotDamage(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	for _, name := range []string{"checkpoint", "ckpt-2.index", "ckpt-2.receipt.json", "ckpt-2.data-00000-of-00001"} {
		path, passed, err := LatestValid(background(), unreadable(dir, name), nil)
		if path != "" || len(passed) != 0 || !errors.Is(err, errDisk) {
			t.Errorf("LatestValid() with %s unreadable = %q, %v, %v, want the disk's error", name, path, passed, err)
		}
	}
	ctx, cancel := context.WithCancel(background())
	cancel()
	if _, _, err := LatestValid(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("LatestValid(cancelled) = %v, want context.Canceled", err)
	}
}

// unreadable returns dir with one file that cannot be opened.
func unreadable(dir storage.Dir, name string) storage.Dir {
	return opened{failing{dir, func(op, file string) error {
		if op == "open" && file == name {
			return &fs.PathError{Op: op, Path: name, Err: errDisk}
		}
		return nil
	}}}
}

// opened is a failing Dir in which that goes for opening too.
type opened struct{ failing }

func (o opened) Open(ctx context.Context, name string) (storage.File, error) {
	if err := o.fail("open", name); err != nil {
		return nil, err
	}
	return o.failing.Open(ctx, name)
}

func TestLatestValidLooksInTheDirectoryItself(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	if err := c.Write(background(), dir, filename.Variables); err != nil {
		t.Fatal(err)
	}
	if path, _, err := LatestValid(background(), dir, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LatestValid() of a SavedModel = %q, %v, want fs.ErrNotExist", path, err)
	}
}

func TestWithoutAReceiptTheIndexSaysHowLongTheDataIs(t *testing.T) {
	dir := mem.Dir()
	m := newManager(t, New(nil, Objects{"v": variable(1, 2), "w": variable(3)}, nil), dir, nil)
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	remove(t, dir, "ckpt-2.receipt.json")
	if path, passed, err := LatestValid(background(), dir, nil); path != "ckpt-2" || err != nil {
		t.Errorf("LatestValid() = %q, %v, %v, want ckpt-2", path, passed, err)
	}
	shorten(t, dir, dataOf("ckpt-2"))
	path, passed, err := LatestValid(background(), dir, nil)
	if path != "ckpt-1" || err != nil || len(passed) != 1 || !errors.Is(passed[0].Err, format.ErrCorrupt) {
		t.Errorf("LatestValid() of a data file that lacks a byte = %q, %v, %v, want ckpt-1", path, passed, err)
	}
}

func TestABrokenStateFileDoesNotStopLatestValid(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	for _, text := range []string{"", "nonsense", `model_checkpoint_path: "../../ckpt-1"`} {
		writeFile(t, dir, "checkpoint", text)
		if path, passed, err := LatestValid(background(), dir, nil); path != "ckpt-2" || len(passed) != 0 || err != nil {
			t.Errorf("LatestValid() with state %q = %q, %v, %v, want ckpt-2", text, path, passed, err)
		}
	}
}

func TestAMarkWithoutFilesIsNoDamage(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	if err := WriteReceipt(background(), dir, "ckpt-2", Receipt{Schema: 1, Path: "ckpt-2", Kept: "hourly"}); err != nil {
		t.Fatal(err)
	}
	for _, deep := range []bool{false, true} {
		if path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Deep: deep}); path != "ckpt-2" || err != nil {
			t.Errorf("LatestValid(Deep: %v) = %q, %v, %v, want ckpt-2", deep, path, passed, err)
		}
	}
}
