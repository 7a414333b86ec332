package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Appender is a Dir in which a file can be seen while it grows.
// Call Append instead of its method.
type Appender interface {
	Append(ctx context.Context, name string) (Growing, error)
}

// Growing is a file that is seen while it grows. One goroutine at a time uses
// it, and closes it in the end.
type Growing interface {
	// Write appends. Who opens or lists the file after that sees the bytes.
	// After an error the file ends somewhere in them, and only Close is of use.
	io.Writer
	// Sync makes durable what was written.
	Sync() error
	// Close does what Sync does, and ends the growth. A second Close is an
	// error that wraps fs.ErrClosed.
	Close() error
}

// Append begins the new file name, whose name is seen and durable when Append
// returns; a name that exists is an error that wraps fs.ErrExist. Of bytes
// that were not made durable any part may be missing or wrong after loss of
// power, so that the format must notice. A place where files do not grow
// gives an error that wraps errors.ErrUnsupported.
func Append(ctx context.Context, d Dir, name string) (Growing, error) {
	if a, ok := d.(Appender); ok {
		return a.Append(ctx, name)
	}
	return nil, pathError("append", name, fmt.Errorf("files of this storage do not grow: %w", errors.ErrUnsupported))
}
