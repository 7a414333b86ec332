package storage

import (
	"context"
	"errors"
	"fmt"
)

// Excluder is a Dir in which one of several that make a file wins.
// Call WriteNew instead of its method.
type Excluder interface {
	WriteNew(ctx context.Context, name string, data []byte) error
}

// WriteNew is WriteFile unless there is a file name: then it changes nothing
// and returns an error that wraps fs.ErrExist. Of several who call it at once,
// in whatever process and on whatever machine, one succeeds. After any other
// error the file may be there. A place that cannot do this gives an error that
// wraps errors.ErrUnsupported.
func WriteNew(ctx context.Context, d Dir, name string, data []byte) error {
	if e, ok := d.(Excluder); ok {
		return e.WriteNew(ctx, name, data)
	}
	return pathError("create", name, fmt.Errorf("this storage cannot tell who made a file: %w", errors.ErrUnsupported))
}
