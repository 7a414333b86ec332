package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

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
		r, damage, err := receiptToMark(ctx, dir, at)
		if err != nil || r.Rejected == reason {
			return err
		}
		r.Rejected = reason
		if damage != nil {
			if err := keepReceipt(ctx, dir, at.Stored); err != nil {
				return err
			}
		}
		return WriteReceipt(ctx, dir, at.Stored, r)
	})
	if err != nil {
		return fmt.Errorf("reject %s: %w", path, err)
	}
	return nil
}

// receiptToMark returns the receipt that a mark goes into. A checkpoint that
// has none gets one that says nothing else. So does one whose receipt is
// damaged, but for the pin that may have been there; damage says what is wrong
// with that, and keepReceipt has to come before it is replaced.
func receiptToMark(ctx context.Context, dir storage.Dir, at shelf.Place) (r Receipt, damage, err error) {
	r, damage, err = readMarks(ctx, dir, at.Stored)
	if err != nil || r.Schema != 0 {
		return r, nil, err
	}
	sets, err := shelf.Scan(ctx, dir, at.Stored+".")
	if err != nil {
		return Receipt{}, nil, err
	}
	r = Receipt{Schema: receiptSchema, Path: at.Path}
	if damage != nil {
		r.Pinned = maybePinned
	}
	if s := sets[at.Stored]; s != nil {
		r.Time = s.ModTime().UTC()
	}
	return r, damage, nil
}

// keepReceipt gives a damaged receipt that is to be replaced a second name, as
// ckpt doctor does: people may find in it what was lost. The name says what is
// in it, so that done twice it is the same.
func keepReceipt(ctx context.Context, dir storage.Dir, stored string) error {
	name := ReceiptName(stored)
	_, sum, err := fileSum(ctx, dir, name)
	if err == nil {
		err = storage.Link(ctx, dir, name, fmt.Sprintf("%s.old-%08x", name, sum))
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
