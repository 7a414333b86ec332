//go:build !linux

package local

// directFlag is none: elsewhere files are written through the system's cache.
const directFlag = 0

func (d *dir) isCached() bool { return true }
