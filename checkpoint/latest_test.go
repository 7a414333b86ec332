package checkpoint

import (
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestAnEmptyDirectoryIsNamed(t *testing.T) {
	root := t.TempDir()
	for name, dir := range map[string]storage.Dir{
		root:             local.Dir(root),
		root + "/run-1":  storage.Sub(local.Dir(root), "run-1"),
		"run-1":          storage.Sub(mem.Dir(), "run-1"),
		"this directory": mem.Dir(),
	} {
		want := "no checkpoint in " + name + ": save one first, or name the directory that one was saved to: file does not exist"
		if _, err := Load(background(), dir, ""); err == nil || err.Error() != want {
			t.Errorf("Load() = %v, want %s", err, want)
		}
	}
}
