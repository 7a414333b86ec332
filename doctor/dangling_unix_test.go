//go:build unix

package doctor_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
)

// linkedTo moves a file to a store and leaves a link to it.
func (f folder) linkedTo(store, name string) {
	f.t.Helper()
	f.must(os.WriteFile(filepath.Join(store, name), []byte(f.read(name)), 0o666))
	f.remove(name)
	f.must(os.Symlink(filepath.Join(store, name), f.at(name)))
}

// TestAStoreThatIsNotMountedLosesNothing: neither a manager nor a doctor takes a
// checkpoint for half removed whose files are links that lead nowhere just now.
//
// Proves D9, D20, D22.
func TestAStoreThatIsNotMountedLosesNothing(t *testing.T) {
	for _, name := range []string{"ckpt-1.index", "ckpt-2.index", index3, "ckpt-1.data-00000-of-00001", data3} {
		f := newFolder(t, 3)
		store := filepath.Join(t.TempDir(), "store")
		f.must(os.Mkdir(store, 0o777))
		f.linkedTo(store, name)
		f.age()
		whole := f.restorable()
		f.must(os.Rename(store, store+"-away"))
		newest := strings.HasPrefix(name, "ckpt-3.")
		c, _ := one()
		m, err := checkpoint.NewManager(t.Context(), c, f.Dir, nil)
		f.must(err)
		if _, err := m.RestoreOrInitialize(t.Context()); (err != nil) != newest || newest && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: RestoreOrInitialize() = %v, newest %v", name, err, newest)
		}
		_, err = m.Save(t.Context(), nil)
		f.must(err)
		f.must(m.Close(t.Context()))
		for range 2 {
			f.fix(f.examine(nil), nil)
		}
		f.must(os.Rename(store+"-away", store))
		if got := f.restorable(); !includes(got, whole) {
			t.Errorf("%s: when the store is back these can be restored: %v, want all of %v", name, got, whole)
		}
	}
}

// TestALinkToItselfLosesNothingElse, and makes no look at the directory fail.
func TestALinkToItselfLosesNothingElse(t *testing.T) {
	f := newFolder(t, 3)
	f.remove("ckpt-1.index")
	f.must(os.Symlink("ckpt-1.index", f.at("ckpt-1.index")))
	trained := func() error { return trained(t.Context(), f.Dir, 1, nil) }
	f.must(trained())
	list, err := checkpoint.List(t.Context(), f.Dir, nil)
	if err != nil || len(list) == 0 {
		t.Errorf("List() = %v, %v", list, err)
	}
	names := maps.Collect(func(yield func(string, bool) bool) {
		for info, err := range f.List(t.Context(), "ckpt-1.") {
			f.must(err)
			if !yield(info.Name, true) {
				return
			}
		}
	})
	if !names["ckpt-1.data-00000-of-00001"] {
		t.Error("the data of ckpt-1 is gone")
	}
}
