package vfs

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// interrupted fails so many times by a signal, and then with last.
func interrupted(times int, last error) (call func() error, asked *int) {
	asked = new(int)
	return func() error {
		if *asked++; *asked <= times {
			return syscall.EINTR
		}
		return last
	}, asked
}

// TestInterruptedCallsAreRepeated: package os repeats its own, and these are
// the calls that are not its: flock, fdatasync, fallocate, unlink and rmdir all
// go through retry.
func TestInterruptedCallsAreRepeated(t *testing.T) {
	for _, want := range []error{nil, syscall.EIO} {
		call, asked := interrupted(3, want)
		if err := retry(call); err != want || *asked != 4 {
			t.Errorf("retry = %v after %d calls, want %v after 4", err, *asked, want)
		}
		f, err := os.Create(filepath.Join(t.TempDir(), "a"))
		if err != nil {
			t.Fatal(err)
		}
		call, asked = interrupted(3, want)
		err = osFile{f}.control("call", func(uintptr) error { return call() })
		if !errors.Is(err, want) || *asked != 4 {
			t.Errorf("control = %v after %d calls, want %v after 4", err, *asked, want)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
