package checkpoint

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
)

// next returns what the save counter becomes: the next number that is free. A
// number that the caller chose says nothing about the counter.
func (s *save) next(ctx context.Context, w *writing, was int64) (int64, error) {
	if n := s.o.CheckpointNumber; n != nil {
		if *n < 0 {
			return 0, fmt.Errorf("CheckpointNumber is %d, want 0 or more", *n)
		}
		return after(was)
	}
	if s.m.exact() {
		return after(was)
	}
	n, err := after(max(was, s.taken()))
	if err != nil {
		return 0, err
	}
	is, err := shelf.Occupied(ctx, s.m.dir, filename.Numbered(s.m.o.CheckpointName, n))
	if err != nil || !is {
		w.Free = true
		return n, err
	}
	// Somebody else writes checkpoints of this name.
	sets, err := shelf.Scan(ctx, s.m.dir, s.m.o.CheckpointName+"-")
	if err != nil {
		return 0, err
	}
	return after(max(was, s.taken(), sets.Highest(s.m.o.CheckpointName)))
}

// taken returns the highest number that must not be used again, as far as
// known.
func (s *save) taken() int64 { return max(s.m.showing().top, s.m.reserved) }

func (s *save) number(count int64) int64 {
	if s.o.CheckpointNumber != nil {
		return *s.o.CheckpointNumber
	}
	return count
}
