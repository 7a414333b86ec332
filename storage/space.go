package storage

import (
	"context"
	"errors"
)

// Space is the room of a place, in bytes.
type Space struct {
	Free  int64 // what may still be written, quotas included where the system tells
	Total int64 // what the place holds in all
}

// Spacer is a Dir that knows its room. Call Room instead of its method.
type Spacer interface {
	Space(ctx context.Context) (Space, error)
}

// Room returns how much room there is where d is. A bucket has no end, and
// memory does not tell: of what is no Spacer the error wraps
// errors.ErrUnsupported. Others write there, too, so the answer is already past.
func Room(ctx context.Context, d Dir) (Space, error) {
	if s, ok := d.(Spacer); ok {
		return s.Space(ctx)
	}
	if err := ctx.Err(); err != nil {
		return Space{}, err
	}
	return Space{}, pathError("space", ".", errors.ErrUnsupported)
}

func (r *readOnly) Space(ctx context.Context) (Space, error) { return Room(ctx, r.d) }

// Space is not told: it changes nothing, and nothing depends on it.
func (t *trace) Space(ctx context.Context) (Space, error) { return Room(ctx, t.d) }

// Space takes the directory to be on the disk that it is in; who mounts
// another one inside opens that.
func (s *sub) Space(ctx context.Context) (Space, error) { return Room(ctx, s.d) }

// Space is where the lease is, too.
func (l *leasing) Space(ctx context.Context) (Space, error) { return Room(ctx, l.Dir) }
