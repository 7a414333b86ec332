package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// InCache needs Linux 6.5.
func (f osFile) InCache(off, n int64) (int64, error) {
	var stat unix.Cachestat_t
	err := f.control("cachestat", func(fd uintptr) error {
		return unix.Cachestat(uint(fd), &unix.CachestatRange{Off: uint64(off), Len: uint64(n)}, &stat, 0)
	})
	return int64(stat.Cache) * int64(os.Getpagesize()), err
}
