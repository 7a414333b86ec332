package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/parity"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// protected saves some checkpoints with parity, of n numbers each.
func protected(t *testing.T, n, saves int, o *Options) storage.Dir {
	t.Helper()
	dir := mem.Dir()
	values := make([]float32, n)
	if o == nil {
		o = new(Options)
	}
	o.Parity = true
	c := New(nil, Objects{"v": variable(values...)}, o)
	v := c.TrackableChildren()[0].Object.(*variableF)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	for i := range saves {
		for j := range v.Value {
			v.Value[j] = float32(i*n + j)
		}
		mustSave(t, m, nil)
	}
	return dir
}

// contents returns the bytes of all files.
func contents(t *testing.T, dir storage.Dir) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range listing(t, dir) {
		all[name] = readFile(t, dir, name)
	}
	return all
}

func wantContents(t *testing.T, what string, dir storage.Dir, want map[string]string) {
	t.Helper()
	got := contents(t, dir)
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s is not what it was", what, name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is left over", what, name)
		}
	}
}

// TestEveryFlippedByteIsMended flips every byte of data and index.
// Proves D23.
func TestEveryFlippedByteIsMended(t *testing.T) {
	dir := protected(t, 10, 1, nil)
	was := contents(t, dir)
	for _, name := range []string{"ckpt-1.index", dataOf("ckpt-1")} {
		for i := range was[name] {
			flip(t, dir, name, i, 4)
			list, err := Repair(background(), dir, "ckpt-1", nil)
			if err != nil || len(list) != 1 || list[0].File != name || !list[0].Done || list[0].Bad != 1 || list[0].Lost != 0 {
				t.Fatalf("byte %d of %s: Repair() = %+v, %v, want it mended", i, name, list, err)
			}
			wantContents(t, name, dir, was)
		}
	}
}

// TestLostEndsAndFilesOfOneBlockAreMended. Proves D23.
func TestLostEndsAndFilesOfOneBlockAreMended(t *testing.T) {
	dir := protected(t, 10, 1, nil)
	was := contents(t, dir)
	for name, do := range map[string]func(name string){
		"shorter": func(name string) { shorten(t, dir, name) },
		"gone":    func(name string) { remove(t, dir, name) },
		"empty":   func(name string) { writeFile(t, dir, name, "") },
		"longer":  func(name string) { writeFile(t, dir, name, was[name]+"x") },
	} {
		for _, file := range []string{"ckpt-1.index", dataOf("ckpt-1")} {
			do(file)
			list, err := Repair(background(), dir, "ckpt-1", nil)
			if err != nil || len(list) != 1 || list[0].File != file || !list[0].Done {
				t.Errorf("%s, %s: Repair() = %+v, %v, want it mended", file, name, list, err)
			}
			wantContents(t, file+" "+name, dir, was)
		}
	}
}

func TestBothFilesAreMendedTogether(t *testing.T) {
	dir := protected(t, 10, 1, nil)
	was := contents(t, dir)
	flip(t, dir, "ckpt-1.index", 3, 4)
	flip(t, dir, dataOf("ckpt-1"), 3, 4)
	dry, err := Repair(background(), dir, "ckpt-1", &RepairOptions{DryRun: true})
	if err != nil || len(dry) != 2 || dry[0].Done || !dry[0].Fixable || dry[1].File != "ckpt-1.index" {
		t.Errorf("Repair(DryRun) = %+v, %v, want two that can be mended", dry, err)
	}
	if _, err := Load(background(), dir, "ckpt-1"); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Load() after a dry run = %v, want it as bad as before", err)
	}
	if list, err := Repair(background(), dir, "ckpt-1", nil); err != nil || len(list) != 2 {
		t.Errorf("Repair() = %+v, %v, want two mended", list, err)
	}
	wantContents(t, "after it", dir, was)
	if list, err := Repair(background(), dir, "ckpt-1", nil); err != nil || list != nil {
		t.Errorf("Repair() of what is whole = %+v, %v, want nothing", list, err)
	}
}

// TestOneBadBlockInEachStripe is about files of many blocks. Proves D23.
func TestOneBadBlockInEachStripe(t *testing.T) {
	const n = 10 * parity.BlockSize / 4 // two stripes, one of them short
	dir := protected(t, n, 1, nil)
	was := contents(t, dir)
	for _, i := range []int{3 * parity.BlockSize, 8*parity.BlockSize + 5} {
		flip(t, dir, dataOf("ckpt-1"), i, 4)
	}
	list, err := Repair(background(), dir, "ckpt-1", nil)
	want := []int64{3 * parity.BlockSize, 8 * parity.BlockSize}
	if err != nil || len(list) != 1 || !slices.Equal(list[0].Offsets, want) || list[0].Bad != 2 {
		t.Errorf("Repair() = %+v, %v, want blocks %v", list, err, want)
	}
	wantContents(t, "after it", dir, was)
}

// TestWhatIsBeyondRepairIsSaidAndLeft: two bad blocks of one stripe.
// Proves D23.
func TestWhatIsBeyondRepairIsSaidAndLeft(t *testing.T) {
	dir := protected(t, 4*parity.BlockSize/4, 1, nil)
	flip(t, dir, dataOf("ckpt-1"), 5, 4)
	flip(t, dir, dataOf("ckpt-1"), parity.BlockSize+5, 4)
	flip(t, dir, "ckpt-1.index", 7, 4)
	bad := readFile(t, dir, dataOf("ckpt-1"))
	list, err := Repair(background(), dir, "ckpt-1", nil)
	if !errors.Is(err, format.ErrCorrupt) || len(list) != 2 || list[0].Lost != 2 || list[0].Fixable || list[0].Done || !list[1].Done {
		t.Errorf("Repair() = %+v, %v, want the index mended and the data lost", list, err)
	}
	if !strings.Contains(err.Error(), "repair ckpt-1: "+dataOf("ckpt-1")+" at byte 0: beyond repair: 2 of 2 bad blocks share their stripe") {
		t.Errorf("Repair() = %v, want it to say why", err)
	}
	if readFile(t, dir, dataOf("ckpt-1")) != bad {
		t.Errorf("the data was changed")
	}
	if _, err := Load(background(), dir, "ckpt-1"); err != nil {
		t.Errorf("Load() = %v, want the index mended", err)
	}
}

func TestWithoutUsefulParityNothingIsChanged(t *testing.T) {
	for name, hurt := range map[string]func(dir storage.Dir){
		"no parity": func(dir storage.Dir) { remove(t, dir, "ckpt-2.parity-00000-of-00001") },
		"empty":     func(dir storage.Dir) { writeFile(t, dir, "ckpt-2.parity-00000-of-00001", "") },
		"of another": func(dir storage.Dir) {
			writeFile(t, dir, "ckpt-2.parity-00000-of-00001", readFile(t, dir, "ckpt-1.parity-00000-of-00001"))
		},
		"bad in its stripe": func(dir storage.Dir) { flip(t, dir, "ckpt-2.parity-00000-of-00001", 90, 4) },
	} {
		dir := protected(t, 10, 2, nil)
		hurt(dir)
		flip(t, dir, dataOf("ckpt-2"), 1, 4)
		was := contents(t, dir)
		list, err := Repair(background(), dir, "ckpt-2", nil)
		if !errors.Is(err, format.ErrCorrupt) || len(list) != 1 || list[0].Fixable || list[0].Reason == "" {
			t.Errorf("%s: Repair() = %+v, %v, want ErrCorrupt and a reason", name, list, err)
		}
		wantContents(t, name, dir, was)
	}
}

// TestAnotherProgramsCheckpointIsNotTurnedBack: TensorFlow overwrites files
// and leaves receipt and parity as they were.
func TestAnotherProgramsCheckpointIsNotTurnedBack(t *testing.T) {
	dir := protected(t, 10, 2, nil)
	for _, suffix := range []string{".index", ".data-00000-of-00001"} {
		writeFile(t, dir, "ckpt-1"+suffix, readFile(t, dir, "ckpt-2"+suffix))
	}
	was := contents(t, dir)
	if list, err := Repair(background(), dir, "ckpt-1", nil); err == nil || slices.ContainsFunc(list, func(m Mended) bool { return m.Done }) {
		t.Errorf("Repair() = %+v, %v, want an error", list, err)
	}
	wantContents(t, "stale receipt", dir, was)
	remove(t, dir, "ckpt-1.receipt.json")
	was = contents(t, dir)
	if list, err := Repair(background(), dir, "ckpt-1", nil); list != nil || err != nil {
		t.Errorf("Repair() of what is whole = %+v, %v, want nothing", list, err)
	}
	wantContents(t, "no receipt", dir, was)
	flip(t, dir, dataOf("ckpt-1"), 3, 4)
	was = contents(t, dir)
	if list, err := Repair(background(), dir, "ckpt-1", nil); !errors.Is(err, format.ErrCorrupt) || slices.ContainsFunc(list, func(m Mended) bool { return m.Done }) {
		t.Errorf("Repair() = %+v, %v, want ErrCorrupt", list, err)
	}
	wantContents(t, "no receipt, damaged", dir, was)
}

// TestAWholeIndexOfAnotherProgramIsNotTurnedBack: parity can make the old one
// again, and cannot make the data again that it was of.
func TestAWholeIndexOfAnotherProgramIsNotTurnedBack(t *testing.T) {
	dir := protected(t, 300_000, 2, nil)
	for _, suffix := range []string{".index", ".data-00000-of-00001"} {
		writeFile(t, dir, "ckpt-1"+suffix, readFile(t, dir, "ckpt-2"+suffix))
	}
	remove(t, dir, "ckpt-1.receipt.json")
	was := contents(t, dir)
	if list, err := Repair(background(), dir, "ckpt-1", nil); list != nil || err != nil {
		t.Errorf("Repair() = %+v, %v, want nothing", list, err)
	}
	wantContents(t, "after it", dir, was)
}

// TestTheParityOfAnotherIndexMakesNothing where the index that is there is whole.
//
// Proves D23.
func TestTheParityOfAnotherIndexMakesNothing(t *testing.T) {
	dir := protected(t, 10, 2, nil)
	was := contents(t, dir)
	remove(t, dir, "ckpt-1.receipt.json")
	writeFile(t, dir, "ckpt-1.parity-index", was["ckpt-2.parity-index"])
	flip(t, dir, dataOf("ckpt-1"), 7, 1)
	list, err := Repair(background(), dir, "ckpt-1", nil)
	if err != nil || len(list) != 1 || list[0].File != dataOf("ckpt-1") || !list[0].Done {
		t.Errorf("Repair() = %+v, %v, want the data mended", list, err)
	}
	for _, name := range []string{"ckpt-1.index", dataOf("ckpt-1")} {
		if readFile(t, dir, name) != was[name] {
			t.Errorf("%s is not what it was", name)
		}
	}
}

func TestRepairNeedsNoReceipt(t *testing.T) {
	for _, receipt := range []string{"", "{"} {
		dir := protected(t, 10, 1, nil)
		was := contents(t, dir)
		remove(t, dir, "ckpt-1.receipt.json")
		delete(was, "ckpt-1.receipt.json")
		if receipt != "" {
			writeFile(t, dir, "ckpt-1.receipt.json", receipt)
			was["ckpt-1.receipt.json"] = receipt
		}
		flip(t, dir, dataOf("ckpt-1"), 3, 4)
		flip(t, dir, "ckpt-1.index", 3, 4)
		if list, err := Repair(background(), dir, "ckpt-1", nil); err != nil || len(list) != 2 {
			t.Errorf("receipt %q: Repair() = %+v, %v, want two mended", receipt, list, err)
		}
		wantContents(t, "after it", dir, was)
	}
}

func TestEveryShardHasItsParity(t *testing.T) {
	o := &Options{Sharding: sharding.MaxShardSize(40)}
	dir := protected(t, 40, 1, o)
	was := contents(t, dir)
	names := 0
	for name := range was {
		if !strings.Contains(name, ".data-") {
			continue
		}
		names++
		flip(t, dir, name, 2, 4)
	}
	list, err := Repair(background(), dir, "ckpt-1", nil)
	if err != nil || len(list) != names || names < 3 {
		t.Errorf("Repair() = %+v, %v, want %d mended", list, err, names)
	}
	wantContents(t, "after it", dir, was)
}

// TestAPlaceThatFailsIsNotRepaired: a repair that fails changes nothing, and
// leaves nothing.
func TestAPlaceThatFailsIsNotRepaired(t *testing.T) {
	dir := protected(t, 10, 1, nil)
	flip(t, dir, dataOf("ckpt-1"), 1, 4)
	was := contents(t, dir)
	for _, name := range []string{"ckpt-1.index", "ckpt-1.receipt.json", dataOf("ckpt-1"), "ckpt-1.parity-00000-of-00001", "ckpt-1.parity-index"} {
		if _, err := Repair(background(), unreadable(dir, name), "ckpt-1", nil); !errors.Is(err, errDisk) {
			t.Errorf("Repair() with %s unreadable = %v, want the disk's error", name, err)
		}
	}
	for _, op := range []string{"create", "write", "commit"} {
		bad := brokenDir{dir, op}
		if list, err := Repair(background(), bad, "ckpt-1", nil); !errors.Is(err, errDisk) || len(list) != 1 || list[0].Done {
			t.Errorf("Repair() where %s fails = %+v, %v, want the disk's error", op, list, err)
		}
		wantContents(t, op, dir, was)
	}
}

// brokenDir is a Dir in which one operation of writing fails.
type brokenDir struct {
	storage.Dir
	op string
}

func (b brokenDir) fails(op string) error {
	if op == b.op {
		return &fs.PathError{Op: op, Path: "x", Err: errDisk}
	}
	return nil
}

func (b brokenDir) Create(ctx context.Context, name string) (storage.Pending, error) {
	p, err := b.Dir.Create(ctx, name)
	if failed := b.fails("create"); err == nil && failed != nil {
		return nil, errors.Join(failed, p.Discard())
	}
	return &breakingPending{p, b}, err
}

type breakingPending struct {
	storage.Pending
	b brokenDir
}

func (p *breakingPending) Write(b []byte) (int, error) {
	if err := p.b.fails("write"); err != nil {
		return 0, err
	}
	return p.Pending.Write(b)
}

func (p *breakingPending) Commit() error {
	if err := p.b.fails("commit"); err != nil {
		return errors.Join(err, p.Discard())
	}
	return p.Pending.Commit()
}

func TestARestoreSaysThatThereIsParity(t *testing.T) {
	for _, name := range []string{dataOf("ckpt-1"), "ckpt-1.index"} {
		dir := protected(t, 10, 1, nil)
		flip(t, dir, name, 3, 1)
		c := New(nil, Objects{"v": variable(make([]float32, 10)...)}, nil)
		_, err := c.Restore(background(), dir, "ckpt-1")
		if !errors.Is(err, format.ErrCorrupt) || !strings.HasSuffix(err.Error(), " (it has parity: 'ckpt doctor DIR --deep --fix', or Repair, may mend it)") {
			t.Errorf("%s: Restore() = %v, want ErrCorrupt and the advice", name, err)
		}
		remove(t, dir, "ckpt-1.parity-index")
		if _, err := c.Restore(background(), dir, "ckpt-1"); err == nil || strings.Contains(err.Error(), "parity") {
			t.Errorf("%s, without parity: Restore() = %v, want no advice", name, err)
		}
	}
}

func TestRepairOnADisk(t *testing.T) {
	dir := local.Dir(t.TempDir())
	c := New(nil, Objects{"v": variable(1, 2, 3)}, &Options{Parity: true})
	if err := c.Write(background(), dir, "a/m"); err != nil {
		t.Fatal(err)
	}
	was := contents(t, dir)
	wantPaths(t, "files", listing(t, dir), "a/m.data-00000-of-00001", "a/m.index", "a/m.parity-00000-of-00001", "a/m.parity-index", "a/m.receipt.json")
	flip(t, dir, "a/m.index", 9, 4)
	flip(t, dir, "a/m.data-00000-of-00001", 9, 4)
	if list, err := Repair(background(), dir, "a/m", nil); err != nil || len(list) != 2 {
		t.Errorf("Repair() = %+v, %v, want two mended", list, err)
	}
	wantContents(t, "after it", dir, was)
}
