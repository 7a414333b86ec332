//go:build !windows

package vfs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// TestOpenOfAPipeDoesNotWait would hang if it failed: nobody writes to the pipe.
func TestOpenOfAPipeDoesNotWait(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := vfs.OS().OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("Stat = %v, %v, want a pipe", info, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
