//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package vfs

import (
	"errors"
	"syscall"
)

// flock and not fcntl: fcntl's locks are lost as soon as the process closes
// any descriptor of the file, and do not hold between two of one process.
func (f osFile) TryLock() error {
	err := f.control("flock", func(fd uintptr) error {
		return syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB)
	})
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return pathError("flock", f.Name(), ErrLocked)
	}
	return err
}
