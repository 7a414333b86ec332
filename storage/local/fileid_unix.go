//go:build unix

package local

import (
	"io/fs"
	"syscall"

	"github.com/ckpt-dev/ckpt/storage"
)

func fileID(info fs.FileInfo) storage.FileID {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return storage.FileID{}
	}
	return storage.FileID{Device: uint64(s.Dev), Inode: uint64(s.Ino)}
}
