package vfstest

import (
	"syscall"
	"unsafe"
)

const oDirect = syscall.O_DIRECT

// address is where p is in memory: O_DIRECT asks for that.
func address(p []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }
