package checkpoint

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
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
	if err == nil {
		n, err = passBusy(s.m.out, s.m.o.CheckpointName, n)
	}
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
	n, err = after(max(n, sets.Highest(s.m.o.CheckpointName)))
	if err != nil {
		return 0, err
	}
	return passBusy(s.m.out, s.m.o.CheckpointName, n)
}

// passBusy returns the first number from n on whose checkpoint nobody may
// still be making who has lost the lease: his files would come over ours.
func passBusy(dir storage.Dir, name string, n int64) (_ int64, err error) {
	for err == nil && dirlock.Free(dir, filename.Numbered(name, n)) != nil {
		n, err = after(n)
	}
	return n, err
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
