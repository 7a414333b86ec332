package shelf

import (
	"maps"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestRollingBackSurvivesAPowerCutAfterEachOperation: the new data is as long
// as the old, so that nothing but the order of the flushes keeps the old index
// from being believed beside it.
//
// Proves D4, D6.
func TestRollingBackSurvivesAPowerCutAfterEachOperation(t *testing.T) {
	was, next := whole("ckpt-7", "old", one), whole("ckpt-7", "new", one)
	linked := with(was, under(was))
	for name, found := range map[string]map[string]string{
		"receipt replaced":          with(linked, next, ".receipt.json"),
		"receipt and data replaced": with(linked, next, ".receipt.json", ".data-"+one),
	} {
		disk := vfstest.NewStrict(nil)
		dir := local.DirOn(disk, "/runs")
		for _, file := range slices.Sorted(maps.Keys(found)) {
			if err := storage.WriteFile(t.Context(), dir, file, []byte(found[file])); err != nil {
				t.Fatal(err)
			}
		}
		disk.Watch(func(op vfstest.Op, s *vfstest.Strict) {
			for cut := range s.Cuts(16, 1) {
				left := local.DirOn(s.Crash(cut), "/runs")
				if err := SettleAt(t.Context(), left, "ckpt-7", told); err != nil {
					t.Errorf("%s: after %v, cut %s: SettleAt = %v", name, op, cut.Name, err)
				}
				got := contents(t, left)
				maps.DeleteFunc(got, func(file, _ string) bool { return was[file] == "" }) // temporary files
				if !maps.Equal(got, was) {
					t.Errorf("%s: after %v, cut %s, there are %q, want %q", name, op, cut.Name, got, was)
				}
			}
		})
		if err := SettleAt(t.Context(), dir, "ckpt-7", told); err != nil {
			t.Errorf("%s: SettleAt = %v", name, err)
		}
	}
}
