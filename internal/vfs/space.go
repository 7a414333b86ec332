package vfs

// Space is the room of a file system, in bytes.
type Space struct {
	Free  int64 // what this process may still write, quotas included where the system tells
	Total int64 // what the file system, or the quota, holds in all
}

// Spacer is an FS that knows its room. Nothing that is written depends on the
// answer but whether it is begun.
type Spacer interface {
	// Space returns the room where the directory name is.
	Space(name string) (Space, error)
}
