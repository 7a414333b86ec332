package offheap

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugeSize is the size of a huge page, and the alignment it needs.
const hugeSize = 2 << 20

// Alloc returns size bytes of zeros that begin at a page, in huge pages where the
// system has them. They stay until Free.
func Alloc(size int) (Memory, error) {
	mapped, err := unix.Mmap(-1, 0, size+hugeSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return Memory{}, fmt.Errorf("memory for %d bytes: %w", size, err)
	}
	at := -int(uintptr(unsafe.Pointer(unsafe.SliceData(mapped)))) & (hugeSize - 1)
	m := Memory{Bytes: mapped[at : at+size : at+size], mapped: mapped}
	// A system without huge pages gives others.
	_ = unix.Madvise(m.Bytes, unix.MADV_HUGEPAGE)
	touch(m.Bytes)
	return m, nil
}

// Memory is what Alloc returned.
type Memory struct {
	Bytes  []byte
	mapped []byte
}

// Free gives the memory back. Nothing may use Bytes any more.
func (m Memory) Free() error {
	if m.mapped == nil {
		return nil
	}
	return unix.Munmap(m.mapped)
}
