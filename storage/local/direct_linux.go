package local

import "syscall"

// directFlag opens a file that is written past the system's cache.
const directFlag = syscall.O_DIRECT

// isCached reports whether files of d are written through the system's cache:
// there, or here, something refuses to do without.
func (d *dir) isCached() bool { return d.refuses.Load() }
