package storage

import (
	"context"
	"errors"
)

// Sharer is a Dir in which a file can have a second name that is published as
// others are. Call Share instead of its method.
type Sharer interface {
	Share(ctx context.Context, oldname, newname string) (Pending, error)
}

// Share begins the file newname with the bytes that oldname has now, and that
// are there once for both: nothing is copied. Commit and CommitAll publish it
// like what Create has begun, also over a file that is there; a Write is an
// error. It is listed with the time of its bytes. The Pending holds the bytes: whatever becomes of oldname afterwards
// changes nothing. oldname may not be a file that still grows.
//
// Where the place cannot, or not with this file (there are too many names of it,
// it is somebody else's, it lies in another file system), the error wraps
// errors.ErrUnsupported, and the bytes are to be written.
func Share(ctx context.Context, d Dir, oldname, newname string) (Pending, error) {
	if s, ok := d.(Sharer); ok {
		return s.Share(ctx, oldname, newname)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, pathError("share", newname, errors.ErrUnsupported)
}

func (s *sub) Share(ctx context.Context, oldname, newname string) (Pending, error) {
	from, err := s.full("share", oldname)
	if err != nil {
		return nil, err
	}
	to, err := s.full("share", newname)
	if err != nil {
		return nil, err
	}
	return Share(ctx, s.d, from, to)
}

func (r *readOnly) Share(_ context.Context, _, newname string) (Pending, error) {
	return nil, denied("share", newname)
}

func (l *leasing) Share(ctx context.Context, oldname, newname string) (Pending, error) {
	return Share(ctx, l.Dir, oldname, newname)
}

func (t *trace) Share(ctx context.Context, oldname, newname string) (Pending, error) {
	p, err := Share(ctx, t.d, oldname, newname)
	t.tell(err, "share", oldname, newname)
	if err != nil {
		return nil, err
	}
	return &traced{Pending: p, t: t, name: newname}, nil
}
