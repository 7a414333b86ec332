package local_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func TestLockRemovesWhatDeadWritersLeft(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	stays := map[string]bool{".ckpt.tmp-OLD": false, ".ckpt.tmp-YOUNG": true, ".ckpt.tmp-DIR": true, "ckpt.tmp-OLD": true}
	for name := range stays {
		path, age := filepath.Join(dir, name), 2*time.Hour
		if name == ".ckpt.tmp-YOUNG" {
			age = time.Minute
		}
		write := func() error { return os.WriteFile(path, nil, 0o666) }
		if name == ".ckpt.tmp-DIR" {
			write = func() error { return os.Mkdir(path, 0o777) }
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := storage.Lock(t.Context(), local.Dir(dir), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range stays {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %t", name, err, want)
		}
	}
	if err := lock.Unlock(); err != nil {
		t.Error(err)
	}
}
