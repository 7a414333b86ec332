package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
)

const (
	page  = 4096
	pages = 40 // more than a save takes
)

// fillDisks mounts a small disk and lets saves meet its end at every page, its
// last inodes, and a disk that has become read-only. It must have a name space
// of its own.
func fillDisks(root string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	if err := syscall.Mount("none", root, "tmpfs", 0, "size=2m,nr_inodes=100"); err != nil {
		return fmt.Errorf("%w: %w", errNoMount, err)
	}
	ballast := filepath.Join(root, "ballast")
	for _, t := range []trouble{
		{name: "disk fuller and fuller", steps: pages, is: syscall.ENOSPC, end: func() error { return os.RemoveAll(ballast) },
			begin: func(step int) error { return fill(root, ballast, int64(step)*page) }},
		{name: "disk full in the midst of writing", steps: pages, is: syscall.ENOSPC, end: func() error { return os.RemoveAll(ballast) },
			begin: func(step int) error { return fill(root, ballast, int64(step)*page) }, blind: true},
		{name: "inodes running out", steps: 16, is: syscall.ENOSPC, end: func() error { return os.RemoveAll(ballast) },
			begin: func(step int) error { return useInodes(root, ballast, step) }},
		{name: "read-only disk", steps: 2, is: syscall.EROFS, begin: func(int) error { return freeze(root) },
			end: func() error { return syscall.Unmount(root, 0) }},
	} {
		if err := try(root, t); err != nil {
			return err
		}
	}
	return syscall.Unmount(root, 0)
}

var errNoMount = errors.New("cannot mount here")

// try tells how saves fared.
func try(root string, t trouble) error {
	failed, all, err := suffer(root, t)
	if err == nil && (failed == 0 || failed == all && t.steps > 2) {
		err = fmt.Errorf("%s: %d of %d saves failed: that is not what was to be tried", t.name, failed, all)
	}
	if err == nil {
		fmt.Printf("%d\tsaves in trouble: %s (%d of them failed)\n", all, t.name, failed)
	}
	return err
}

// fill leaves free so many bytes of the disk.
func fill(root, ballast string, free int64) error {
	if err := os.Mkdir(ballast, 0o777); err != nil {
		return err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(root, &fs); err != nil {
		return err
	}
	size := int64(fs.Bavail)*fs.Bsize - free
	return os.WriteFile(filepath.Join(ballast, "x"), make([]byte, max(size, 0)), 0o666)
}

// useInodes leaves free so many inodes.
func useInodes(root, ballast string, free int) error {
	if err := os.Mkdir(ballast, 0o777); err != nil {
		return err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(root, &fs); err != nil {
		return err
	}
	for i := range int(fs.Ffree) - free {
		if err := os.WriteFile(filepath.Join(ballast, strconv.Itoa(i)), nil, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// freeze mounts the disk over itself, read-only: files that are open for
// writing, as the lock is, stay so below.
func freeze(root string) error {
	return errors.Join(syscall.Mount(root, root, "", syscall.MS_BIND, ""),
		syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""))
}

// limitFileSize lets saves meet the largest size that a file may have.
func limitFileSize(root string) error {
	signal.Ignore(syscall.SIGXFSZ)
	steps := torture.Times(6, pages)
	return underLimit(root, syscall.RLIMIT_FSIZE, trouble{name: "size of a file limited", steps: steps, is: syscall.EFBIG},
		func(step int) (uint64, error) { return uint64(step*step) * pages * page / uint64(steps*steps), nil }) // most files are small
}

// limitOpenFiles lets saves run out of file descriptors.
func limitOpenFiles(root string) error {
	return underLimit(root, syscall.RLIMIT_NOFILE, trouble{name: "open files limited", steps: torture.Times(8, 20), is: syscall.EMFILE},
		func(step int) (uint64, error) {
			f, err := os.Open(root) // gets the lowest number that is free
			if err != nil {
				return 0, err
			}
			return uint64(f.Fd()) + uint64(step), f.Close()
		})
}

func underLimit(root string, resource int, t trouble, of func(step int) (uint64, error)) error {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(resource, &before); err != nil {
		return err
	}
	t.begin = func(step int) error {
		n, err := of(step)
		if err != nil {
			return err
		}
		return syscall.Setrlimit(resource, &syscall.Rlimit{Cur: n, Max: before.Max})
	}
	t.end = func() error { return syscall.Setrlimit(resource, &before) }
	return try(root, t)
}

// TestSavesInTrouble lets the system refuse one thing after another: space to
// the last page, inodes, writing at all, large files, open files. Where it does
// not let this process do so, the log says it.
//
// Proves D13, D15, D16.
func TestSavesInTrouble(t *testing.T) {
	for _, what := range []string{"file size", "open files"} {
		says, err := tell(t, child(t, what))
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, says)
		}
	}
	says, err := tell(t, inUserNamespace(child(t, "disk")))
	if cannot(err, says) && os.Getuid() == 0 {
		t.Logf("could not use: a name space of users: %v %s", err, says)
		cmd := child(t, "disk")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		says, err = tell(t, cmd)
	}
	if cannot(err, says) {
		t.Logf("could not use: a full disk, a disk without inodes, a read-only one, all of which need a name space to mount in: %v %s", err, says)
	} else if err != nil {
		t.Errorf("disk: %v\n%s", err, says)
	}
	t.Logf("could not use: quotas, which a file system must be mounted for by the administrator")
}

func inUserNamespace(cmd *exec.Cmd) *exec.Cmd {
	ids := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: ids(os.Getuid()), GidMappings: ids(os.Getgid()),
	}
	return cmd
}

// cannot reports whether nothing could be tried.
func cannot(err error, says string) bool {
	var exit *exec.ExitError
	return err != nil && (!errors.As(err, &exit) || strings.Contains(says, errNoMount.Error()))
}

// tell runs the child and counts what it tells.
func tell(t *testing.T, cmd *exec.Cmd) (says string, err error) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	for line := range strings.Lines(string(out)) {
		number, what, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if n, bad := strconv.Atoi(number); ok && bad == nil {
			t.Logf("could use: %s", what)
			what, _, _ = strings.Cut(what, " (")
			torture.Count(t, what, n)
		}
	}
	return string(out) + errs.String(), err
}
