package checkpoint

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// Reject marks the checkpoint path, in its receipt, so that LatestValid and
// RestoreOrInitialize pass over it: a bad checkpoint is not tried again at
// every restart. It stays where it is, Load and Restore read it as before, and
// Latest, which is the state file's word, still returns it. For retention it
// takes no other's place. An empty reason takes the mark away.
func Reject(ctx context.Context, dir storage.Dir, path, reason string) error {
	err := dirlock.BetweenSweeps(ctx, dir, dirlock.PinPatience, func(dir storage.Dir) error {
		at, err := locatePath(ctx, dir, path)
		if err != nil {
			return err
		}
		r, err := receiptToMark(ctx, dir, at)
		if err != nil || r.Rejected == reason {
			return err
		}
		r.Rejected = reason
		return WriteReceipt(ctx, dir, at.Stored, r)
	})
	if err != nil {
		return fmt.Errorf("reject %s: %w", path, err)
	}
	return nil
}

// receiptToMark returns the receipt that a mark goes into. A checkpoint that
// has none gets one that says nothing else. So does one whose receipt is
// damaged, but for the pin that may have been there.
func receiptToMark(ctx context.Context, dir storage.Dir, at shelf.Place) (Receipt, error) {
	r, damage, err := readMarks(ctx, dir, at.Stored)
	if err != nil || r.Schema != 0 {
		return r, err
	}
	sets, err := shelf.Scan(ctx, dir, at.Stored+".")
	if err != nil {
		return Receipt{}, err
	}
	r = Receipt{Schema: receiptSchema, Path: at.Path}
	if damage != nil {
		r.Pinned = maybePinned
	}
	if s := sets[at.Stored]; s != nil {
		r.Time = s.ModTime().UTC()
	}
	return r, nil
}
