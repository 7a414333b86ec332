package vfs

import (
	"io/fs"
	"os"
	"syscall"
)

// OS returns the operating system's file system.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if flag&os.O_EXCL == 0 {
		flag |= syscall.O_NONBLOCK // open(2) of a named pipe would wait for its writer
	}
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (osFS) Lstat(name string) (fs.FileInfo, error)     { return os.Lstat(name) }
func (osFS) Rename(oldname, newname string) error       { return os.Rename(oldname, newname) }
func (osFS) Link(oldname, newname string) error         { return os.Link(oldname, newname) }
func (osFS) Mkdir(name string, perm fs.FileMode) error  { return os.Mkdir(name, perm) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }

// os.Remove would take a directory too, and hide which of the two calls failed.
func (osFS) Unlink(name string) error {
	return pathError("unlink", name, retry(func() error { return syscall.Unlink(name) }))
}

func (osFS) Rmdir(name string) error {
	return pathError("rmdir", name, retry(func() error { return syscall.Rmdir(name) }))
}

// osFile is an *os.File whose Sync is cheaper, with the calls os lacks.
type osFile struct{ *os.File }

// control runs call, repeated while interrupted, on the file's descriptor,
// which stays open meanwhile.
func (f osFile) control(op string, call func(fd uintptr) error) error {
	c, err := f.SyscallConn()
	if err != nil {
		return pathError(op, f.Name(), err)
	}
	var failed error
	err = c.Control(func(fd uintptr) {
		failed = retry(func() error { return call(fd) })
	})
	if err == nil {
		err = failed
	}
	return pathError(op, f.Name(), err)
}

// extend makes f at least size bytes long without reserving anything.
func (f osFile) extend(size int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() >= size {
		return err
	}
	return f.Truncate(size)
}

// retry repeats call while a signal interrupts it.
func retry(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
