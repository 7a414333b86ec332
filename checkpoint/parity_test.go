package checkpoint

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestOrderOfASaveWithParity: it gets its name with the data, before the index.
func TestOrderOfASaveWithParity(t *testing.T) {
	var tr tracer
	dir := storage.WithTrace(mem.Dir(), tr.tell)
	c := New(nil, Objects{"v": variable(1)}, &Options{Parity: true})
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	mustSave(t, m, nil)
	tr.take("")
	mustSave(t, m, nil)
	text := tr.take("a save with a sweep")
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(2)})
	text += tr.take("the number is used again")
	golden.Equal(t, "parity_order.txt", []byte(text))
}

// inTurn saves, in turn with and without parity, in one and in several files.
func inTurn(i int) *Options {
	o := &Options{Parity: i%2 == 0}
	if i%3 == 0 {
		o.Sharding = sharding.MaxShardSize(8)
	}
	return o
}

// TestOverwritingWithAndWithoutParitySurvivesACrash. Proves D4, D23.
func TestOverwritingWithAndWithoutParitySurvivesACrash(t *testing.T) {
	for first := range 6 {
		write := func(dir storage.Dir, i int) error {
			x := variable(float32(i))
			return New(nil, Objects{"v": x, "w": variable(7, 8, 9)}, inTurn(i)).Write(background(), dir, "m-1")
		}
		prepare := func(dir storage.Dir) {
			if err := write(dir, first); err != nil {
				t.Fatal(err)
			}
		}
		run := func(dir storage.Dir, done func()) {
			for i := first + 1; i <= first+3 && write(dir, i) == nil; i++ {
				done()
			}
		}
		check := func(t *testing.T, left storage.Dir, done int) {
			x := variable(-1)
			c := New(nil, Objects{"v": x, "w": variable(0, 0, 0)}, inTurn(first))
			if _, err := c.Read(background(), left, "m-1"); err != nil {
				t.Fatalf("Read() = %v", err)
			}
			if got := x.Value[0]; got != float32(first+done) && got != float32(first+done+1) {
				t.Errorf("restored %v, want %d or %d", got, first+done, first+done+1)
			}
			// The next writer leaves what it writes, and nothing else.
			for i := range 2 {
				if err := write(left, i); err != nil {
					t.Fatal(err)
				}
				onlyTold(t, left, "m-1")
			}
		}
		cut(t, prepare, run, check)
	}
}

// onlyTold checks that a directory holds what the receipt of its checkpoint
// tells of.
func onlyTold(t *testing.T, dir storage.Dir, path string) {
	t.Helper()
	r, err := ReadReceipt(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{ReceiptName(path)}
	for _, f := range slices.Concat(r.Files, r.Parity) {
		want = append(want, f.Name)
		if data := readFile(t, dir, f.Name); int64(len(data)) != f.Size {
			t.Errorf("%s has %d bytes, the receipt says %d", f.Name, len(data), f.Size)
		}
	}
	slices.Sort(want)
	wantPaths(t, "files", listing(t, dir), want...)
}

// TestAManagerWithParitySurvivesACrash. Proves D3, D10.
func TestAManagerWithParitySurvivesACrash(t *testing.T) {
	o := ManagerOptions{MaxToKeep: 1}
	run := func(dir storage.Dir, done func()) {
		x, now, o := variable(0), at(1000), o
		o.Now = now.tick
		m, err := NewManager(background(), New(nil, Objects{"v": x}, &Options{Parity: true}), dir, &o)
		for i := 1; err == nil && i <= 4; i++ {
			x.Value[0] = float32(i)
			if _, err = m.Save(background(), nil); err == nil {
				done()
			}
		}
	}
	check := func(t *testing.T, left storage.Dir, done int) {
		if done > 0 {
			oldOrNew(t, left, done)
		}
		goesOn(t, left, o, done)
		sets, err := shelf.Scan(background(), left, "")
		if err != nil {
			t.Fatal(err)
		}
		for p, s := range sets { // with data alone, of which nobody knows whose it is, it stays
			if len(s.Parity) > 0 && len(s.Data) == 0 {
				t.Errorf("parity of %s is left over", p)
			}
		}
	}
	cut(t, func(storage.Dir) {}, run, check)
}

// TestParityThatTensorFlowLeavesIsSwept: it removes what it knows of a
// checkpoint, index and data. Proves D5, D29.
func TestParityThatTensorFlowLeavesIsSwept(t *testing.T) {
	for _, receipt := range []bool{true, false} {
		dir := protected(t, 3, 2, nil)
		remove(t, dir, "ckpt-1.index")
		remove(t, dir, dataOf("ckpt-1"))
		if !receipt {
			remove(t, dir, "ckpt-1.receipt.json")
		}
		c, _ := one(1)
		mustSave(t, newManager(t, c, dir, nil), nil)
		for _, name := range listing(t, dir) {
			if strings.HasPrefix(name, "ckpt-1.") {
				t.Errorf("receipt %v: %s is left", receipt, name)
			}
		}
	}
}

// TestABadParityFileIsNoDamage: a checkpoint is as good without.
func TestABadParityFileIsNoDamage(t *testing.T) {
	dir := protected(t, 3, 2, nil)
	remove(t, dir, "ckpt-2.parity-index")
	flip(t, dir, "ckpt-2.parity-00000-of-00001", 70, 1)
	if path, passed, err := LatestValid(background(), dir, &LatestValidOptions{Deep: true}); path != "ckpt-2" || len(passed) != 0 || err != nil {
		t.Errorf("LatestValid(Deep) = %q, %v, %v, want ckpt-2", path, passed, err)
	}
	sets, err := shelf.Scan(background(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := describes(background(), dir, sets["ckpt-2"]); !ok || err != nil {
		t.Errorf("describes() = %v, %v, want true", ok, err)
	}
}

func TestParityCountsWhereSizesCount(t *testing.T) {
	dir := protected(t, 3, 1, nil)
	var files int64
	for name, text := range contents(t, dir) {
		if strings.HasPrefix(name, "ckpt-1.") && name != ReceiptName("ckpt-1") {
			files += int64(len(text))
		}
	}
	r, err := ReadReceipt(background(), dir, "ckpt-1")
	if err != nil || len(r.Parity) != 2 || r.size() != files {
		t.Errorf("receipt tells of %d bytes, %v, want %d: %+v", r.size(), err, files, r.Parity)
	}
	if list, err := List(background(), dir, nil); err != nil || list[0].Size != files+int64(len(readFile(t, dir, ReceiptName("ckpt-1")))) {
		t.Errorf("List() = %+v, %v, want parity in the size", list, err)
	}
}

// TestWorkersMakeTheParityOfWhatTheyWrite. Proves D23.
func TestWorkersMakeTheParityOfWhatTheyWrite(t *testing.T) {
	dir := mem.Dir()
	objects := Objects{"v0": floats(t, 2), "v1": floats(t, 2), "v2": floats(t, 2)}
	write := func(with func(rank int) bool) []error {
		return team(3, func(g coordinator.Group) error {
			return New(nil, copies(objects), &Options{Workers: g, Parity: with(g.Rank())}).Write(background(), dir, "m")
		})
	}
	all := func(int) bool { return true }
	for range 2 { // the second time over the first
		if err := errors.Join(write(all)...); err != nil {
			t.Fatal(err)
		}
	}
	onlyTold(t, dir, "m")
	was := contents(t, dir)
	for _, name := range []string{"m.index", "m.data-00000-of-00004", "m.data-00003-of-00004"} {
		flip(t, dir, name, 3, 3)
	}
	if list, err := Repair(background(), dir, "m", nil); err != nil || len(list) != 3 {
		t.Errorf("Repair() = %+v, %v, want three mended", list, err)
	}
	wantContents(t, "after it", dir, was)
	for rank, err := range write(func(rank int) bool { return rank != 1 }) {
		if err == nil || !strings.Contains(err.Error(), "worker 1: has written no parity") {
			t.Errorf("worker %d: Write() = %v, want that worker 1 has no parity", rank, err)
		}
	}
	wantContents(t, "a save that fails", dir, was)
}

func TestRemoveTakesParityToo(t *testing.T) {
	dir := protected(t, 3, 1, nil)
	if err := Remove(background(), dir, "ckpt-1"); err != nil {
		t.Fatal(err)
	}
	wantPaths(t, "files", listing(t, dir))
}
