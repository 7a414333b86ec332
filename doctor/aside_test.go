package doctor_test

import (
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
)

// TestACauseAloneGoes: it is left when the files are moved back by hand.
func TestACauseAloneGoes(t *testing.T) {
	f := newFolder(t, 3)
	f.flip("ckpt-2.data-00000-of-00001", 0)
	where, err := checkpoint.Quarantine(t.Context(), f.Dir, "ckpt-2", nil)
	f.must(err)
	for name, text := range f.all() {
		if base, aside := strings.CutPrefix(name, where+"/"); aside && base != "cause.json" {
			f.write(base, text)
			f.remove(name)
		}
	}
	f.flip("ckpt-2.data-00000-of-00001", 0)
	wantKinds(t, "just moved", f.examine(nil).Findings, "put-aside")
	wantKinds(t, "mended too early", f.fix(f.examine(nil), nil).Mended)
	f.age()
	after := f.fix(f.examine(nil), nil)
	wantKinds(t, "mended", after.Mended, "put-aside")
	wantKinds(t, "left", f.examine(nil).Findings)
	if _, left := f.all()[where+"/cause.json"]; left {
		t.Errorf("%s/cause.json is left", where)
	}
}
