package vfs

import (
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Space asks the file system, whose answer has the quota of an XFS project
// already, and then the quotas of user and group. The superuser is bound by none of
// them, and has what the file system keeps back for it.
func (osFS) Space(name string) (Space, error) {
	var s unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(name, &s) }); err != nil {
		return Space{}, pathError("statfs", name, err)
	}
	unit := uint64(s.Frsize)
	if os.Geteuid() == 0 {
		return Space{Free: times(s.Bfree, unit), Total: times(s.Blocks, unit)}, nil
	}
	space := Space{Free: times(s.Bavail, unit), Total: times(s.Blocks, unit)}
	for kind, id := range []int{os.Geteuid(), os.Getegid()} {
		space = space.within(quotaOf(name, kind, id))
	}
	return space, nil
}

// times multiplies what a system says, which need not make sense.
func times(n, unit uint64) int64 {
	if unit > 0 && n > math.MaxInt64/unit {
		return math.MaxInt64
	}
	return int64(n * unit)
}

// quota is Linux's struct if_dqblk (linux/quota.h): limits in KiB, 0 for none.
type quota struct {
	hard, soft, used                       uint64
	inodesHard, inodesSoft, inodes, bt, it uint64
	valid                                  uint32
}

// quotaOf returns the quota of a user (kind 0) or group (1), none where there
// is none or the kernel is too old to be asked by a file.
func quotaOf(name string, kind, id int) quota {
	const getQuota = 0x800007 // Q_GETQUOTA
	dir, err := unix.Open(name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return quota{}
	}
	var q quota
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL_FD, uintptr(dir), uintptr(getQuota<<8|kind), uintptr(id), uintptr(unsafe.Pointer(&q)), 0, 0)
	if err := unix.Close(dir); err != nil || errno != 0 {
		return quota{}
	}
	return q
}

// within returns what of s a quota leaves.
func (s Space) within(q quota) Space {
	limit := q.hard
	if limit == 0 {
		limit = q.soft
	}
	if limit == 0 {
		return s
	}
	total := times(limit, 1024)
	left := max(0, total-times(q.used, 1))
	return Space{Free: min(s.Free, left), Total: min(s.Total, total)}
}
