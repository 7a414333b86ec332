package local_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func TestSpaceIsThatOfTheDirectoryToBe(t *testing.T) {
	dir := t.TempDir()
	there, err := storage.Room(context.Background(), local.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	if there.Free <= 0 || there.Total < there.Free {
		t.Errorf("Room = %+v", there)
	}
	for _, d := range []storage.Dir{
		local.Dir(filepath.Join(dir, "not", "yet")),
		storage.Sub(local.Dir(dir), "run"),
		storage.ReadOnly(local.Dir(dir)),
		storage.WithTrace(local.Dir(dir), func(line string) { t.Errorf("told %q", line) }),
	} {
		if got, err := storage.Room(context.Background(), d); err != nil || got.Total != there.Total {
			t.Errorf("Room(%v) = %+v, %v, want a total of %d", d, got, err, there.Total)
		}
	}
}
