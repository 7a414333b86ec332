package vfs

import (
	"errors"

	"golang.org/x/sys/windows"
)

// TryLock locks one byte far behind the content: a lock of Windows keeps
// others from reading what it covers, and the holder's name must be readable.
func (f osFile) TryLock() error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := f.control("lock", func(fd uintptr) error {
		at := &windows.Overlapped{OffsetHigh: 1 << 30}
		return windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, at)
	})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return pathError("lock", f.Name(), ErrLocked)
	}
	return err
}
