//go:build !linux

package vfstest

// oDirect is no flag of this system's.
const oDirect = 0

func address([]byte) uintptr { return 0 }
