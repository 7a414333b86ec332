package checkpoint

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// layers is a model of which tests change what they like.
type layers struct {
	c    *Checkpoint
	vars []*variableF
	name *trackable.StringVariable
}

// newLayers returns a model of variables with so many elements each, and small
// pieces that incremental saves take for large.
func newLayers(o *Options, elems ...int) *layers {
	l := &layers{name: &trackable.StringVariable{Shape: []int64{1}, Value: []string{"new"}}}
	objects := Objects{"name": l.name}
	for i, n := range elems {
		l.vars = append(l.vars, trackable.NewVariable(fmt.Sprint("w", i), []int64{int64(n)}, make([]float32, n)))
		objects[fmt.Sprint("w", i)] = l.vars[i]
		l.set(i, float32(i))
	}
	l.c = New(nil, objects, o)
	smallPieces(l.c)
	return l
}

// smallPieces lets c's saves link files of a few bytes.
func smallPieces(c *Checkpoint) {
	if c.lineage != nil {
		c.lineage.Tensor, c.lineage.File = 64, 64
	}
}

func (l *layers) set(i int, x float32) {
	for j := range l.vars[i].Value {
		l.vars[i].Value[j] = x + float32(j)/1024
	}
	l.name.Value[0] = fmt.Sprint("w", i, " is ", x)
}

func (l *layers) values() (all [][]float32) {
	for _, v := range l.vars {
		all = append(all, slices.Clone(v.Value))
	}
	return all
}

// holds restores a checkpoint into another model and compares, after all depths
// of verification.
func holds(t *testing.T, dir storage.Dir, path string, want [][]float32) {
	t.Helper()
	var elems []int
	for _, w := range want {
		elems = append(elems, len(w))
	}
	got := newLayers(nil, elems...)
	if _, err := got.c.Restore(background(), dir, path); err != nil {
		t.Errorf("Restore(%s) = %v", path, err)
		return
	}
	for i, w := range want {
		if !slices.Equal(got.vars[i].Value, w) {
			t.Errorf("%s has w%d = %v..., want %v...", path, i, got.vars[i].Value[:2], w[:2])
		}
	}
	r, err := Load(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, depth := range []Depth{DepthQuick, DepthChecksums, DepthDeep} {
		if err := r.VerifyWith(background(), &VerifyOptions{Depth: depth}); err != nil {
			t.Errorf("VerifyWith(%s, depth %d) = %v", path, depth, err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// linkedOf returns which data files of a checkpoint its save did not write.
func linkedOf(t *testing.T, dir storage.Dir, path string) (linked []string, written int64) {
	t.Helper()
	r, err := ReadReceipt(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range slices.Concat(r.Files, r.Parity) {
		if f.Linked != "" {
			linked = append(linked, strings.TrimPrefix(f.Name, path+"."))
		} else {
			written += f.Size
		}
	}
	return linked, written
}

func wantLinked(t *testing.T, dir storage.Dir, path string, want ...string) {
	t.Helper()
	if got, _ := linkedOf(t, dir, path); !slices.Equal(got, want) {
		t.Errorf("%s links %q, want %q", path, got, want)
	}
}

var incremental = &Options{Incremental: &Incremental{}}

// bothPlaces are a disk and memory.
func bothPlaces(t *testing.T) map[string]storage.Dir {
	return map[string]storage.Dir{"local": local.Dir(t.TempDir()), "mem": mem.Dir()}
}

func TestWhatHasNotChangedIsLinked(t *testing.T) {
	for place, dir := range bothPlaces(t) {
		t.Run(place, func(t *testing.T) {
			l := newLayers(incremental, 2000, 500)
			m := newManager(t, l.c, dir, nil)
			were := make(map[string][][]float32)
			for i := range 4 {
				l.set(1, float32(100+i))
				were[mustSave(t, m, nil)] = l.values()
			}
			wantLinked(t, dir, "ckpt-1")
			for n := 2; n <= 4; n++ {
				p := fmt.Sprint("ckpt-", n)
				wantLinked(t, dir, p, "data-00001-of-00002")
				if _, written := linkedOf(t, dir, p); written > 4000 {
					t.Errorf("%s: %d bytes were written, want the 2000 of w1 and little else", p, written)
				}
			}
			for p, want := range were {
				holds(t, dir, p, want)
			}
			if err := Remove(background(), dir, "ckpt-1", "ckpt-3"); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, "ckpt-2", were["ckpt-2"])
			holds(t, dir, "ckpt-4", were["ckpt-4"])
			l.set(1, 200)
			p := mustSave(t, m, nil)
			wantLinked(t, dir, p, "data-00001-of-00002")
			holds(t, dir, p, l.values())
		})
	}
}

// TestRegrouping: when a file has too many bytes of no use, what of it is in use
// is written into one that has none.
func TestRegrouping(t *testing.T) {
	dir := local.Dir(t.TempDir())
	l := newLayers(incremental, 1000, 1000, 1000)
	m := newManager(t, l.c, dir, nil)
	mustSave(t, m, nil)
	l.set(2, 50)
	wantLinked(t, dir, mustSave(t, m, nil), "data-00001-of-00002") // two thirds
	l.set(1, 51)
	l.set(2, 51)
	p := mustSave(t, m, nil) // one third
	wantLinked(t, dir, p)
	if r, err := ReadReceipt(background(), dir, p); err != nil || len(r.Files) != 3 {
		t.Errorf("%s has the files %+v, %v, want what changes, what does not, and the index", p, r.Files, err)
	}
	holds(t, dir, p, l.values())
	l.set(2, 52)
	p = mustSave(t, m, nil)
	wantLinked(t, dir, p, "data-00002-of-00003") // w0; w1 is less than half of what had changed
	holds(t, dir, p, l.values())
}

func TestASharedFileIsWrittenAnew(t *testing.T) {
	for rewrite, want := range map[int]string{1: "-----", 2: "-l-l-", 3: "-ll-l"} {
		dir := mem.Dir()
		l := newLayers(&Options{Incremental: &Incremental{Rewrite: rewrite}}, 1000)
		m := newManager(t, l.c, dir, nil)
		var got strings.Builder
		for range 5 {
			linked, _ := linkedOf(t, dir, mustSave(t, m, nil))
			got.WriteString("-l"[min(len(linked), 1):][:1])
		}
		if got.String() != want {
			t.Errorf("with Rewrite %d saves are %q (l: linked), want %q", rewrite, got.String(), want)
		}
	}
}

func TestWithParityASharedFileIsNotWrittenAnew(t *testing.T) {
	dir := local.Dir(t.TempDir())
	l := newLayers(&Options{Incremental: &Incremental{Rewrite: 2}, Parity: true}, 1000, 10)
	m := newManager(t, l.c, dir, nil)
	for i := range 6 {
		l.set(1, float32(i))
		p := mustSave(t, m, nil)
		if i > 0 {
			wantLinked(t, dir, p, "data-00001-of-00002", "parity-00001-of-00002")
		}
		holds(t, dir, p, l.values())
	}
	remove(t, dir, "ckpt-6.parity-00001-of-00002")
	p := mustSave(t, m, nil)
	wantLinked(t, dir, p)
	holds(t, dir, p, l.values())
}

func TestFrozenTensorsAreApartFromTheFirstSaveOn(t *testing.T) {
	var log lines
	o := &Options{Incremental: &Incremental{}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Frozen: func(name string) bool { return strings.HasPrefix(name, "w0/") }}
	dir := local.Dir(t.TempDir())
	l := newLayers(o, 1000, 3000)
	m := newManager(t, l.c, dir, nil)
	mustSave(t, m, nil)
	l.set(1, 7)
	p := mustSave(t, m, nil)
	wantLinked(t, dir, p, "data-00001-of-00002")
	if strings.Contains(log.String(), "frozen") {
		t.Errorf("the log says %q before any has changed", log.String())
	}
	l.set(0, 8)
	p = mustSave(t, m, nil)
	wantLinked(t, dir, p, "data-00002-of-00003") // w1, for a change
	holds(t, dir, p, l.values())
	if !strings.Contains(log.String(), "frozen tensor has changed") || !strings.Contains(log.String(), "w0/.ATTRIBUTES/VARIABLE_VALUE") {
		t.Errorf("the log says %q, want what has changed", log.String())
	}
}

// TestWhatIsInTheWayIsNotLinked: names that are gone, or are others' now.
func TestWhatIsInTheWayIsNotLinked(t *testing.T) {
	const data = "ckpt-1.data-00000-of-00001"
	for what, change := range map[string]func(dir storage.Dir){
		"removed":             func(dir storage.Dir) { remove(t, dir, data) },
		"replaced":            func(dir storage.Dir) { writeFile(t, dir, data, strings.Repeat("x", len(readFile(t, dir, data)))) },
		"of another size":     func(dir storage.Dir) { writeFile(t, dir, data, "x") },
		"the whole is gone":   func(dir storage.Dir) { remove(t, dir, "ckpt-1.index"); remove(t, dir, data) },
		"written once more":   func(dir storage.Dir) { writeFile(t, dir, data, readFile(t, dir, data)) },
		"quarantined by hand": func(dir storage.Dir) { writeFile(t, dir, "aside/"+data, readFile(t, dir, data)); remove(t, dir, data) },
	} {
		for place, dir := range bothPlaces(t) {
			l := newLayers(incremental, 1000, 500)
			if _, err := l.c.Save(background(), dir, "ckpt"); err != nil {
				t.Fatal(err)
			}
			change(dir)
			l.set(1, 9)
			p, err := l.c.Save(background(), dir, "ckpt")
			if err != nil {
				t.Fatalf("%s, %s: Save = %v", place, what, err)
			}
			if linked, _ := linkedOf(t, dir, p); len(linked) > 0 {
				t.Errorf("%s, %s: links %q, want nothing", place, what, linked)
			}
			holds(t, dir, p, l.values())
		}
	}
}

// TestAnotherDirectoryIsWrittenWhole: names and sizes may be the same there.
func TestAnotherDirectoryIsWrittenWhole(t *testing.T) {
	ours, other := bothPlaces(t), bothPlaces(t)
	for place := range ours {
		a, b := newLayers(incremental, 1000), newLayers(incremental, 1000)
		b.set(0, 77)
		for l, dir := range map[*layers]storage.Dir{a: ours[place], b: other[place]} {
			if err := l.c.Write(background(), dir, "m-1"); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.c.Write(background(), other[place], "m-2"); err != nil {
			t.Fatal(err)
		}
		wantLinked(t, other[place], "m-2")
		holds(t, other[place], "m-2", a.values())
	}
}

// TestAnotherDirOfTheSameDirectory is as good where the place tells one file from another.
func TestAnotherDirOfTheSameDirectory(t *testing.T) {
	at := t.TempDir()
	l := newLayers(incremental, 1000)
	for i := range 3 {
		dir := local.Dir(at)
		p := fmt.Sprint("m-", i)
		if err := l.c.Write(background(), dir, p); err != nil {
			t.Fatal(err)
		}
		if linked, _ := linkedOf(t, dir, p); len(linked) != min(i, 1) && hasIDs(t, dir) {
			t.Errorf("%s links %q, want what was written", p, linked)
		}
	}
}

func hasIDs(t *testing.T, dir storage.Dir) bool {
	for info, err := range dir.List(background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		return info.ID != storage.FileID{}
	}
	return false
}

// withoutLinks is a place that has none.
type withoutLinks struct{ storage.Dir }

func TestWithoutLinksAllIsWritten(t *testing.T) {
	dir := withoutLinks{mem.Dir()}
	l := newLayers(incremental, 1000, 100)
	for range 3 {
		p, err := l.c.Save(background(), dir, "ckpt")
		if err != nil {
			t.Fatal(err)
		}
		wantLinked(t, dir, p)
		holds(t, dir, p, l.values())
	}
}

func TestAPathThatIsTakenIsWrittenWhole(t *testing.T) {
	for place, dir := range bothPlaces(t) {
		l := newLayers(incremental, 1000, 100)
		for i := range 3 {
			l.set(1, float32(i))
			if err := l.c.Write(background(), dir, "model"); err != nil {
				t.Fatal(err)
			}
			wantLinked(t, dir, "model")
			holds(t, dir, "model", l.values())
		}
		if err := l.c.Write(background(), dir, "other"); err != nil {
			t.Fatal(err)
		}
		if linked, _ := linkedOf(t, dir, "other"); len(linked) != 2 && len(linked) != 1 {
			t.Errorf("%s: other links %q, want what model has", place, linked)
		}
		l.set(0, 99)
		if err := l.c.Write(background(), dir, "model"); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, "other", [][]float32{sequenceOf(0, 1000), l.values()[1]})
	}
}

func sequenceOf(x float32, n int) []float32 {
	l := newLayers(nil, n)
	l.set(0, x)
	return l.vars[0].Value
}

// TestWhatARestoreChangesIsWritten: also of what does not change by itself.
func TestWhatARestoreChangesIsWritten(t *testing.T) {
	o := &Options{Incremental: &Incremental{}, Async: &Async{}, Frozen: func(string) bool { return true }}
	dir := local.Dir(t.TempDir())
	l := newLayers(o, 1000)
	if err := l.c.Write(background(), dir, "a"); err != nil {
		t.Fatal(err)
	}
	other := newLayers(nil, 1000)
	other.set(0, 5)
	if err := other.c.Write(background(), dir, "pretrained"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.c.Read(background(), dir, "pretrained"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"b", "c"} {
		if err := l.c.Write(background(), dir, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.c.Sync(background()); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "b", other.values())
	holds(t, dir, "c", other.values())
	wantLinked(t, dir, "b")
}

func TestIncrementalMisuse(t *testing.T) {
	for want, o := range map[string]Options{
		"Rewrite is -1": {Incremental: &Incremental{Rewrite: -1}},
		"Sharding":      {Incremental: &Incremental{}, Sharding: twoShards.Sharding},
	} {
		c := New(nil, Objects{"v": variable(1)}, &o)
		if err := c.Write(background(), mem.Dir(), "m"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Write with %+v = %v, want %q", o, err, want)
		}
	}
}

// TestAFailedSaveIsNoBase: what it linked is given up, and not counted.
func TestAFailedSaveIsNoBase(t *testing.T) {
	failing := &failingCommits{Dir: mem.Dir()}
	l := newLayers(&Options{Incremental: &Incremental{Rewrite: 3}}, 1000, 100)
	for i, fails := range []bool{false, true, true, true, false, false} {
		failing.on = fails
		l.set(1, float32(i))
		p := fmt.Sprint("m-", i)
		if err := l.c.Write(background(), failing, p); (err != nil) != fails {
			t.Fatalf("Write(%s) = %v", p, err)
		}
		if fails {
			continue
		}
		holds(t, failing, p, l.values())
		if i > 0 {
			wantLinked(t, failing, p, "data-00001-of-00002")
		}
	}
	for _, name := range listing(t, failing) {
		if strings.HasPrefix(path.Base(name), "m-1") || strings.HasPrefix(path.Base(name), "m-2") {
			t.Errorf("%s stays of a save that failed", name)
		}
	}
}

// failingCommits commits no index.
type failingCommits struct {
	storage.Dir
	on bool
}

func (d *failingCommits) Share(ctx context.Context, from, to string) (storage.Pending, error) {
	return storage.Share(ctx, d.Dir, from, to)
}

func (d *failingCommits) Create(ctx context.Context, name string) (storage.Pending, error) {
	if d.on && strings.HasSuffix(name, ".index") {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrPermission}
	}
	return d.Dir.Create(ctx, name)
}
