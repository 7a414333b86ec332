package local

import (
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

// IsRefused reports whether the file system has refused to write past its cache.
func IsRefused(d storage.Dir) bool { return d.(*dir).refuses.Load() }

// SmallStaging gives a test a ring of its own, of which it returns how many
// buffers are taken and how many files wait for one.
func SmallStaging(t *testing.T, buffers int) (inUse func() (taken, hungry int)) {
	was := staging
	staging = &ring{buffers: buffers, size: stageSize}
	t.Cleanup(func() { staging = was })
	ours := staging
	return func() (int, int) {
		ours.once.Do(ours.make)
		return buffers - len(ours.free), int(ours.hungry.Load())
	}
}

// SmallReading gives a test buffers of its own for reading, of which it returns
// how many are taken.
func SmallReading(t *testing.T, buffers, size int) (taken func() int) {
	was := reading
	reading = &ring{buffers: buffers, size: size}
	t.Cleanup(func() { reading = was })
	ours := reading
	return func() int {
		ours.once.Do(ours.make)
		return buffers - len(ours.free)
	}
}
