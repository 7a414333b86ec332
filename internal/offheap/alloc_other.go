//go:build !linux

package offheap

import "unsafe"

// Alloc returns size bytes of zeros that begin at a page. They stay until Free.
func Alloc(size int) (Memory, error) {
	all := make([]byte, size+pageSize)
	at := -int(uintptr(unsafe.Pointer(unsafe.SliceData(all)))) & (pageSize - 1)
	m := Memory{Bytes: all[at : at+size : at+size]}
	touch(m.Bytes)
	return m, nil
}

// Memory is what Alloc returned.
type Memory struct{ Bytes []byte }

// Free gives the memory back, when the collector comes by. Nothing may use
// Bytes any more.
func (m Memory) Free() error { return nil }
