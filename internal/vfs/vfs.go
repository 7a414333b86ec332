// Package vfs is the file system as storage/local sees it: the few operations
// a publish needs, and nothing that hides one of them behind another.
//
// It exists so that a test can put something else below storage/local's own
// code: a wrapper that fails at the i-th operation (package vfstest), or a
// strict file system that loses at a power cut whatever was not flushed. What
// such a file system must know to be strict is written at each operation.
//
// What survives a power cut:
//
//   - bytes and length of a file, once its Sync returned nil;
//   - a name (created, linked, renamed, unlinked, made, removed), once SyncDir
//     of the directory that holds it returned nil;
//   - of everything else, any part: an unflushed write may be there, missing or
//     torn, an unflushed rename done or not.
//
// A Sync or SyncDir that failed says nothing about what reached the disk, and
// Linux forgets the failure once it has been told. Callers therefore never
// flush the same file a second time: they throw it away.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked is what File.TryLock wraps when another holds the lock.
var ErrLocked = errors.New("already locked")

// FS is a file system. Names are paths of the operating system. Errors are
// *fs.PathError, or *os.LinkError where two names take part, and wrap the
// system's number. An interrupted call (EINTR) is repeated inside.
//
// An FS is safe for use by several goroutines, and comparable with ==, because
// it is part of the key of storage/local's lock table.
type FS interface {
	Opener
	Namer
	Directory
}

// Opener finds files.
type Opener interface {
	// OpenFile opens name as os.OpenFile does; flag is made of os.O_RDONLY,
	// O_WRONLY, O_RDWR, O_CREATE and O_EXCL, of NoFollow, and of the system's
	// own flags (O_DIRECT). It never waits for the other end of a named pipe.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Stat describes name, following symbolic links.
	Stat(name string) (fs.FileInfo, error)
	// Lstat describes name, not following a symbolic link.
	Lstat(name string) (fs.FileInfo, error)
}

// Namer changes which name means which file. Each call is atomic for whoever
// looks at the same time; it survives a power cut after SyncDir.
type Namer interface {
	// Rename gives oldname's file the name newname, replacing a file there.
	Rename(oldname, newname string) error
	// Link gives oldname's file the additional name newname. An existing
	// newname is an error that wraps fs.ErrExist.
	Link(oldname, newname string) error
	// Unlink takes the name of a file away; it refuses a directory.
	Unlink(name string) error
}

// Directory makes and reads directories.
type Directory interface {
	// Mkdir makes the directory name, whose parent must exist.
	Mkdir(name string, perm fs.FileMode) error
	// Rmdir removes the empty directory name.
	Rmdir(name string) error
	// ReadDir returns the entries of the directory name, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir makes the names in the directory name durable. Where the file
	// system has no such operation (fsync of a directory is EINVAL there, and
	// Windows has none) it returns nil: nothing more can be done.
	SyncDir(name string) error
}

// File is an open file. ReadAt and WriteAt may be called by several
// goroutines at once.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer // gives up the lock, if TryLock took it; flushes nothing
	Flusher
	// Stat describes the open file.
	Stat() (fs.FileInfo, error)
	// TryLock takes the exclusive lock of the file without waiting, or returns
	// an error that wraps ErrLocked. The lock belongs to this File and ends
	// with Close or with the process, however that ends.
	TryLock() error
}

// Flusher is the part of a File that sets its length and makes it durable.
type Flusher interface {
	// Truncate sets the length.
	Truncate(size int64) error
	// Preallocate makes the file at least size bytes long, and reserves disk
	// space for them where the file system can, so that a full disk shows now.
	Preallocate(size int64) error
	// Sync makes bytes and length durable (fdatasync, or the system's nearest).
	Sync() error
}
