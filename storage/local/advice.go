package local

import (
	"errors"
	"syscall"
)

// advised adds to what the operating system said what a person can do about it,
// for those errors whose words alone send people the wrong way: a quota that is
// used up while df shows room, a disk that is full of inodes, a limit of the
// process that looks like one of the disk.
func advised(err error) error {
	for _, a := range advice {
		if errors.Is(err, a.errno) {
			return because(err, "%v (%s)", err, a.text)
		}
	}
	return err
}

var advice = []struct {
	errno error
	text  string
}{
	{syscall.ENOSPC, "make room there: df -h and df -i show what is used up"},
	{syscall.EDQUOT, "the quota of this user, group or project is used up, whatever df shows: see quota -s"},
	{syscall.EFBIG, "more than the file system takes in one file, or this process may write: see ulimit -f"},
	{syscall.EROFS, "mounted so, or made so by the system after an error of the disk: see dmesg"},
	{syscall.EMFILE, "this process has as many open as it may: close some, or raise ulimit -n"},
	{syscall.ENFILE, "this machine has as many open as it may"},
	{syscall.ESTALE, "the server no longer knows this file or its directory: mount it again"},
	{syscall.EIO, "the disk, or the connection to it, fails: see dmesg"},
}
