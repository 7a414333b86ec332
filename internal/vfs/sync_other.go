//go:build !linux

package vfs

func (f osFile) Preallocate(size int64) error { return f.extend(size) }
