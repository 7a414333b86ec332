package doctor_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/format"
)

const (
	parityOfData  = "ckpt-4.parity-00000-of-00001"
	parityOfIndex = "ckpt-4.parity-index"
)

// TestParityThatCouldNotHelpIsFoundAndMadeAnew, byte by byte as it was.
//
// Proves D23.
func TestParityThatCouldNotHelpIsFoundAndMadeAnew(t *testing.T) {
	for _, test := range []struct {
		name, found, quick string
		file               string
		is                 error
		harm               func(f folder)
	}{
		{"missing", "parity-missing", "parity-missing", parityOfData, fs.ErrNotExist, func(f folder) { f.remove(parityOfData) }},
		{"that of the index missing", "parity-missing", "parity-missing", parityOfIndex, fs.ErrNotExist, func(f folder) { f.remove(parityOfIndex) }},
		{"cut", "parity-damaged", "parity-damaged", parityOfData, format.ErrCorrupt, func(f folder) { f.write(parityOfData, f.read(parityOfData)[:50]) }},
		{"a byte of it", "parity-damaged", "", parityOfData, format.ErrCorrupt, func(f folder) { f.flip(parityOfData, 80) }},
		{"its header", "parity-damaged", "", parityOfIndex, format.ErrCorrupt, func(f folder) { f.flip(parityOfIndex, 0) }},
		{"both", "parity-damaged parity-missing", "parity-missing", "", nil, func(f folder) { f.flip(parityOfIndex, -1); f.remove(parityOfData) }},
		{"that of the index missing, and a broken receipt", "parity-missing receipt-broken", "parity-missing receipt-broken", "", nil, func(f folder) {
			f.remove(parityOfIndex)
			f.flip("ckpt-4.receipt.json", 0)
		}},
		{"a byte, and no receipt", "parity-damaged receipt-missing", "receipt-missing", "", nil, func(f folder) {
			f.flip(parityOfData, 80)
			f.remove("ckpt-4.receipt.json")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t, 3)
			trainParity(t, f.Dir, 2)
			before := f.all()
			test.harm(f)
			wantKinds(t, "findings without reading", f.examine(nil).Findings, strings.Fields(test.quick)...)
			r := f.examine(&doctor.Options{Deep: true})
			wantKinds(t, "findings", r.Findings, strings.Fields(test.found)...)
			if g := r.Findings[0]; test.file != "" && (g.Files[0] != test.file || !errors.Is(g.Err, test.is) || g.Severity != doctor.Problem) {
				t.Errorf("finding is %+v, want one about %s that is %v", g, test.file, test.is)
			}
			wantKinds(t, "findings after Fix", f.fix(r, nil).Findings)
			for _, name := range []string{parityOfData, parityOfIndex} {
				if f.read(name) != before[name] {
					t.Errorf("%s is not as it was", name)
				}
			}
			f.flip("ckpt-4.data-00000-of-00001", 0)
			if list, err := checkpoint.Repair(t.Context(), f.Dir, "ckpt-4", nil); err != nil || len(list) != 1 {
				t.Errorf("Repair by it = %v, %v, want a file", list, err)
			}
		})
	}
}

// TestNoParityIsMadeOfDamagedData, which nobody had read before.
//
// Proves D22.
func TestNoParityIsMadeOfDamagedData(t *testing.T) {
	for _, receipt := range []bool{true, false} {
		f := newFolder(t, 0)
		trainParity(t, f.Dir, 2)
		f.remove("ckpt-1.parity-00000-of-00001")
		if !receipt {
			f.remove("ckpt-1.receipt.json")
		}
		f.flip("ckpt-1.data-00000-of-00001", 0)
		var told []error
		after, err := f.examine(nil).Fix(t.Context(), &doctor.FixOptions{Tell: func(_ doctor.Finding, err error) { told = append(told, err) }})
		f.must(err)
		wantKinds(t, "findings after Fix", after.Findings, "parity-missing")
		wantKinds(t, "fixable after Fix", after.Fixable())
		if len(told) != 1 || !errors.Is(told[0], format.ErrCorrupt) || len(after.Mended) > 0 {
			t.Errorf("Fix has mended %v and told %v, want what is damaged", after.Mended, told)
		}
		wantKinds(t, "findings of what is read", f.examine(&doctor.Options{Deep: true}).Findings, "damaged")
	}
}
