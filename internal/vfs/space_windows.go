package vfs

import (
	"math"

	"golang.org/x/sys/windows"
)

// Space asks for what this user may write: quotas are counted.
func (osFS) Space(name string) (Space, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return Space{}, pathError("space", name, err)
	}
	var free, total, all uint64
	if err := windows.GetDiskFreeSpaceEx(path, &free, &total, &all); err != nil {
		return Space{}, pathError("space", name, err)
	}
	return Space{Free: int64(min(free, math.MaxInt64)), Total: int64(min(total, math.MaxInt64))}, nil
}
