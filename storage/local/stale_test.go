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

// TestCreateBelowRemovesWhatDeadWritersLeft: nobody takes a lock there.
//
// Proves D15.
func TestCreateBelowRemovesWhatDeadWritersLeft(t *testing.T) {
	root := t.TempDir()
	left := func(in, name string, age time.Duration) string {
		path := filepath.Join(root, in, ".ckpt.tmp-"+name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stays := map[string]bool{
		left("a/b", "OLD", 2*time.Hour):     false,
		left("a/b", "YOUNG", time.Minute):   true,
		left("a", "ELSEWHERE", 2*time.Hour): true,
		left("", "OLD", 2*time.Hour):        true, // Lock's
	}
	d := local.Dir(root)
	for _, name := range []string{"a/b/c", "c"} {
		if err := storage.WriteFile(t.Context(), d, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	stays[left("a/b", "LATER", 2*time.Hour)] = true // it looks once
	if err := storage.WriteFile(t.Context(), d, "a/b/c", nil); err != nil {
		t.Fatal(err)
	}
	for path, want := range stays {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %t", path, err, want)
		}
	}
}
