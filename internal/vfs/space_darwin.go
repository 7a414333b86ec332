package vfs

import "golang.org/x/sys/unix"

// Space asks the file system; quotas are not asked for.
func (osFS) Space(name string) (Space, error) {
	var s unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(name, &s) }); err != nil {
		return Space{}, pathError("statfs", name, err)
	}
	unit := int64(s.Bsize)
	return Space{Free: int64(s.Bavail) * unit, Total: int64(s.Blocks) * unit}, nil
}
