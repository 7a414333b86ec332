//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package vfs

import "errors"

// Solaris and AIX have only fcntl's locks, which one process cannot hold
// against itself; no lock is better than one that looks like it.
func (f osFile) TryLock() error {
	return pathError("lock", f.Name(), errors.ErrUnsupported)
}
