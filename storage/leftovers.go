package storage

import (
	"context"
	"strings"
)

// Tidier is a Dir that can tell what writers which died have left in it and
// List does not show. Call Leftovers instead of its method.
type Tidier interface {
	Leftovers(ctx context.Context) ([]Info, error)
}

// Leftovers returns the files in d that writers have begun and not committed,
// those of writers at work among them. They are the place's own: nothing opens
// them, and the place itself removes those of the dead, in its time. A place
// that has no such files, or does not know, returns none.
func Leftovers(ctx context.Context, d Dir) ([]Info, error) {
	if t, ok := d.(Tidier); ok {
		return t.Leftovers(ctx)
	}
	return nil, ctx.Err()
}

func (r *readOnly) Leftovers(ctx context.Context) ([]Info, error) { return Leftovers(ctx, r.d) }

func (t *trace) Leftovers(ctx context.Context) ([]Info, error) {
	list, err := Leftovers(ctx, t.d)
	t.tell(err, "leftovers")
	return list, err
}

func (s *sub) Leftovers(ctx context.Context) ([]Info, error) {
	if err := CheckName("list", s.dir); err != nil {
		return nil, err
	}
	list, err := Leftovers(ctx, s.d)
	var below []Info
	for _, info := range list {
		if name, ok := strings.CutPrefix(info.Name, s.dir+"/"); ok {
			info.Name = name
			below = append(below, info)
		}
	}
	return below, err
}

func (l *leasing) Leftovers(ctx context.Context) ([]Info, error) { return Leftovers(ctx, l.Dir) }
