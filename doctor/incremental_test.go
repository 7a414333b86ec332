package doctor_test

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// baseSize is that of a tensor that does not change, large enough for its file
// to be linked.
const baseSize = 300_000

// trainLinked saves checkpoints of a base that does not change and a v that is
// the number, of which all but the first link the file of the base. So the file of
// the first has bytes that no other uses.
func trainLinked(t *testing.T, dir storage.Dir, saves int, o checkpoint.Options) {
	t.Helper()
	base := trackable.NewVariable("base", tensor.Shape{baseSize}, make([]float32, baseSize))
	for i := range base.Value {
		base.Value[i] = float32(i)
	}
	head := trackable.NewVariable("head", tensor.Shape{20_000}, make([]float32, 20_000))
	v := trackable.NewVariable("v", tensor.Shape{2}, []float32{0, 0})
	o.Incremental = &checkpoint.Incremental{}
	m, err := checkpoint.NewManager(t.Context(), checkpoint.New(nil, checkpoint.Objects{"base": base, "head": head, "v": v}, &o), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range saves {
		v.Value[0], head.Value[0] = float32(i+1), float32(i+1)
		if _, err := m.Save(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := checkpoint.ReadReceipt(t.Context(), dir, "ckpt-2")
	if err != nil || len(r.Files) != 3 || r.Files[1].Linked != "ckpt-1.data-00000-of-00001" {
		t.Fatalf("ckpt-2 has %+v, %v, want a file of ckpt-1", r.Files, err)
	}
}

func linkedFolder(t *testing.T, saves int, o checkpoint.Options) folder {
	t.Helper()
	f := newFolder(t, 0)
	trainLinked(t, f.Dir, saves, o)
	return f
}

// spoil changes a byte in place, as a disk does: under all names of the file.
func (f folder) spoil(name string, at int64) {
	f.t.Helper()
	file, err := os.OpenFile(f.at(name), os.O_RDWR, 0)
	f.must(err)
	b := make([]byte, 1)
	_, err = file.ReadAt(b, at)
	f.must(err)
	b[0] ^= 0xff
	_, err = file.WriteAt(b, at)
	f.must(errors.Join(err, file.Close()))
}

const sharedOf3 = "ckpt-3.data-00001-of-00002"

// TestWhatSharesFilesIsNoDamage, nor what is there of no use.
//
// Proves D22, D30.
func TestWhatSharesFilesIsNoDamage(t *testing.T) {
	for place, dir := range map[string]storage.Dir{"local": local.Dir(t.TempDir()), "mem": mem.Dir()} {
		for _, parity := range []bool{false, true} {
			dir := storage.Sub(dir, map[bool]string{false: "plain", true: "parity"}[parity])
			trainLinked(t, dir, 4, checkpoint.Options{Parity: parity})
			for step, do := range []func() error{
				func() error { return nil },
				func() error { return checkpoint.Remove(t.Context(), dir, "ckpt-1", "ckpt-3") },
			} {
				if err := do(); err != nil {
					t.Fatal(err)
				}
				for _, deep := range []bool{false, true} {
					r, err := doctor.Examine(t.Context(), dir, doctor.Impatient(&doctor.Options{Deep: deep}))
					if err != nil {
						t.Fatal(err)
					}
					if r.Valid != 4-2*step || len(r.Findings)+len(r.Unknown) > 0 {
						t.Errorf("%s, parity %v, step %d, deep %v: %d are valid, findings are %v, unknown %v", place, parity, step, deep, r.Valid, kinds(r.Findings), r.Unknown)
					}
				}
			}
			if list, err := checkpoint.Orphans(t.Context(), dir); err != nil || len(list) > 0 {
				t.Errorf("Orphans = %v, %v, want none", list, err)
			}
		}
	}
}

// TestADamagedSharedFileIsToldOfEach checkpoint that has it, whichever name it is
// read by, and with --fix nothing is lost.
//
// Proves D22, D30.
func TestADamagedSharedFileIsToldOfEach(t *testing.T) {
	f := linkedFolder(t, 3, checkpoint.Options{})
	trainV4(f)
	f.spoil(sharedOf3, 4*baseSize/2)
	r := f.examine(&doctor.Options{Deep: true})
	var told []string
	for _, g := range r.Findings {
		told = append(told, g.Path)
	}
	slices.Sort(told)
	if got := strings.Join(slices.Compact(told), " "); got != "ckpt-1 ckpt-2 ckpt-3" {
		t.Errorf("damage is told of %q, want of each that has the file: %+v", got, r.Findings)
	}
	if r.Valid != 1 || r.Newest != "ckpt-4" {
		t.Errorf("%d are valid, the newest is %s, want ckpt-4 alone", r.Valid, r.Newest)
	}
	before := f.all()
	f.fix(r, nil)
	after := f.all()
	for name, text := range before {
		if strings.HasPrefix(name, "ckpt-") && after[name] != text {
			t.Errorf("Fix has changed or removed %s", name)
		}
	}
}

// trainV4 saves one more, which has nothing in common with those that are there.
func trainV4(f folder) {
	f.t.Helper()
	c, v := one()
	m, err := checkpoint.NewManager(f.t.Context(), c, f.Dir, nil)
	f.must(err)
	v.Value[0] = 4
	_, err = m.Save(f.t.Context(), nil)
	f.must(errors.Join(err, m.Close(f.t.Context())))
}

// TestDamageOfOneNameIsOfOne: what was put under one name, or is missing there,
// leaves the others as they are, also when it is mended or put aside.
//
// Proves D21, D22, D30.
func TestDamageOfOneNameIsOfOne(t *testing.T) {
	for what, harm := range map[string]func(f folder){
		"another file": func(f folder) { f.flip(sharedOf3, 4*baseSize/2) },
		"missing":      func(f folder) { f.remove(sharedOf3) },
		"cut":          func(f folder) { f.write(sharedOf3, f.read(sharedOf3)[:baseSize]) },
	} {
		t.Run(what, func(t *testing.T) {
			f := linkedFolder(t, 4, checkpoint.Options{})
			before := f.all()
			harm(f)
			r := f.examine(&doctor.Options{Deep: true})
			for _, g := range r.Findings {
				if g.Path != "ckpt-3" {
					t.Errorf("there is a finding of %s: %+v", g.Path, g)
				}
			}
			if r.Valid != 3 || len(r.Findings) == 0 {
				t.Errorf("%d are valid, findings %v, want all but ckpt-3", r.Valid, kinds(r.Findings))
			}
			f.fix(r, nil)
			if _, err := checkpoint.Quarantine(t.Context(), f.Dir, "ckpt-3", nil); err != nil && !errors.Is(err, fs.ErrNotExist) { // Fix has done it
				t.Fatal(err)
			}
			f.wantAll(before, "ckpt-3")
			list, err := checkpoint.Quarantined(t.Context(), f.Dir)
			f.must(err)
			if len(list) != 1 {
				t.Fatalf("%v lie aside, want ckpt-3", list)
			}
			f.must(checkpoint.Unquarantine(t.Context(), f.Dir, list[0].Where))
			f.wantAll(before, "ckpt-3")
			f.must(checkpoint.Remove(t.Context(), f.Dir, "ckpt-3"))
			f.wantAll(before, "ckpt-3")
			wantKinds(t, "findings at the end", f.examine(&doctor.Options{Deep: true}).Findings)
		})
	}
}

// wantAll compares all files of checkpoints but one's with what they were, and
// reads them.
func (f folder) wantAll(before map[string]string, but string) {
	f.t.Helper()
	now := f.all()
	for name, text := range before {
		if strings.HasPrefix(name, "ckpt-") && !strings.HasPrefix(name, but+".") && now[name] != text {
			f.t.Errorf("%s is not what it was", name)
		}
	}
	for p, v := range f.restorable() {
		if p != but && p != "ckpt-"+string('0'+rune(v)) {
			f.t.Errorf("%s has the value %v", p, v)
		}
	}
}

// TestParityMendsASharedFileForEach: the doctor makes good every checkpoint that
// has the bad file.
//
// Proves D23, D30.
func TestParityMendsASharedFileForEach(t *testing.T) {
	f := linkedFolder(t, 4, checkpoint.Options{Parity: true})
	before := f.all()
	f.spoil(sharedOf3, 4*baseSize/2)
	r := f.examine(&doctor.Options{Deep: true})
	wantKinds(t, "findings of four that share a file", r.Findings, "damaged", "damaged", "damaged", "damaged", "none-valid", "state-damaged")
	r = f.fix(r, nil)
	wantKinds(t, "findings after Fix", r.Findings)
	if r.Valid != 4 {
		t.Errorf("%d are valid, want 4", r.Valid)
	}
	f.wantAll(before, "")
}

// TestLinkedParityThatIsDamagedIsMadeAnew, of the one name that has another file.
//
// Proves D23, D30.
func TestLinkedParityThatIsDamagedIsMadeAnew(t *testing.T) {
	const parityOf3 = "ckpt-3.parity-00001-of-00002"
	for what, harm := range map[string]func(f folder){
		"damaged": func(f folder) { f.flip(parityOf3, 80) },
		"missing": func(f folder) { f.remove(parityOf3) },
	} {
		f := linkedFolder(t, 4, checkpoint.Options{Parity: true})
		before := f.all()
		harm(f)
		r := f.examine(&doctor.Options{Deep: true})
		wantKinds(t, "findings", r.Findings, "parity-"+what)
		wantKinds(t, "findings after Fix", f.fix(r, nil).Findings)
		f.wantAll(before, "")
	}
}

// TestAReceiptOfLinkedFilesIsMadeAnew, and what it tells of holds.
//
// Proves D18, D30.
func TestAReceiptOfLinkedFilesIsMadeAnew(t *testing.T) {
	f := linkedFolder(t, 4, checkpoint.Options{Parity: true})
	f.remove("ckpt-3.receipt.json")
	r := f.examine(&doctor.Options{Deep: true})
	wantKinds(t, "findings", r.Findings, "receipt-missing")
	wantKinds(t, "findings after Fix", f.fix(r, nil).Findings)
	if r, err := checkpoint.ReadReceipt(t.Context(), f.Dir, "ckpt-3"); err != nil || len(r.Files) != 3 || len(r.Parity) != 3 {
		t.Errorf("ReadReceipt = %+v, %v, want all files", r, err)
	}
}

// TestOverwritingWhatSharesFiles leaves the others what they have, and no
// recovery set.
//
// Proves D4, D30.
func TestOverwritingWhatSharesFiles(t *testing.T) {
	f := linkedFolder(t, 4, checkpoint.Options{})
	before := f.all()
	c, v := one()
	v.Value[0] = 2
	f.must(c.Write(t.Context(), f.Dir, "ckpt-2"))
	f.wantAll(before, "ckpt-2")
	if got := f.restorable(); len(got) != 4 || got["ckpt-2"] != 2 {
		t.Errorf("restorable are %v, want all four", got)
	}
	for name := range f.all() {
		if strings.Contains(name, filename.RecoverySuffix) || strings.HasPrefix(name, ".ckpt.tmp") {
			t.Errorf("%s stays", name)
		}
	}
	wantKinds(t, "findings", f.examine(&doctor.Options{Deep: true}).Findings)
}
