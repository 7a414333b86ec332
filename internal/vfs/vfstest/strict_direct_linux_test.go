package vfstest_test

import (
	"syscall"
	"unsafe"
)

func directFlag() int { return syscall.O_DIRECT }

// aligned returns n bytes that begin at a multiple of a block.
func aligned(n int) []byte {
	p := make([]byte, n+block)
	at := uintptr(unsafe.Pointer(unsafe.SliceData(p))) % block
	return p[block-at:][:n:n]
}
