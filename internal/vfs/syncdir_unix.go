//go:build !windows

package vfs

import (
	"errors"
	"os"
	"syscall"
)

func (osFS) SyncDir(name string) error {
	d, err := os.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // some network and FUSE file systems: they have nothing to flush
	}
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}
