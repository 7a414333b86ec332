package storage

import (
	"fmt"
	"io/fs"
	"strings"
)

// CheckName returns nil if name may name a file (promise 4), and otherwise a
// *fs.PathError that wraps fs.ErrInvalid. Backends call it first.
func CheckName(op, name string) error {
	var why string
	switch {
	case name == "":
		why = "empty name"
	case strings.ContainsRune(name, 0):
		why = "name contains a NUL byte"
	case strings.HasPrefix(name, "/"):
		why = "name is absolute, want one relative to the directory"
	case name == "." || !fs.ValidPath(name):
		why = `name must be UTF-8 without empty, "." or ".." elements`
	default:
		return nil
	}
	return pathError(op, name, fmt.Errorf("%s: %w", why, fs.ErrInvalid))
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
