package local_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// leftovers returns the names of what writers have not committed.
func leftovers(t *testing.T, dir storage.Dir) []string {
	t.Helper()
	list, err := storage.Leftovers(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, info := range list {
		names = append(names, info.Name)
	}
	return names
}

func TestLeftoversAreWhatWritersHaveNotCommitted(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{".ckpt.tmp-1", "a", "in/.ckpt.tmp-2", ".ckpt.lock-checkpoint", ".ckpt.tmp-dir/.ckpt.tmp-3"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(root, ".ckpt.tmp-link")); err != nil {
		t.Fatal(err)
	}
	dir := local.Dir(root)
	if got, want := leftovers(t, dir), []string{".ckpt.tmp-1", "in/.ckpt.tmp-2"}; !slices.Equal(got, want) {
		t.Errorf("Leftovers() = %q, want %q", got, want)
	}
	if got, want := leftovers(t, storage.ReadOnly(storage.Sub(dir, "in"))), []string{".ckpt.tmp-2"}; !slices.Equal(got, want) {
		t.Errorf("Leftovers() below = %q, want %q", got, want)
	}
	if got := leftovers(t, storage.WithTrace(mem.Dir(), func(string) {})); len(got) != 0 {
		t.Errorf("Leftovers() of memory = %q, want none", got)
	}
}
