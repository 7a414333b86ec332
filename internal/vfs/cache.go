package vfs

// Cacher is a File that can tell what of it the system has in memory.
type Cacher interface {
	// InCache returns how many of the n bytes from off on need not be read from
	// the disk; whole pages are counted. A system or file system that cannot
	// tell gives an error.
	InCache(off, n int64) (int64, error)
}
