package checkpoint

import (
	"context"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// What package shelf does is up to receipts in some places, which it does not
// know.

// receiptFiles returns what a receipt says of its checkpoint's files, parity
// included.
func receiptFiles(ctx context.Context, dir storage.Dir, path string) ([]shelf.File, error) {
	r, err := ReadReceipt(ctx, dir, path)
	if err != nil {
		return nil, unlessIO(err)
	}
	var files []shelf.File
	for _, f := range slices.Concat(r.Files, r.Parity) {
		files = append(files, shelf.File(f))
	}
	return files, nil
}

// locatePath finds the checkpoint of exactly this path.
func locatePath(ctx context.Context, dir storage.Dir, p string) (shelf.Place, error) {
	return shelf.Locate(ctx, dir, p, receiptFiles)
}

// describes reports whether a set's receipt is about the files that are there.
func describes(ctx context.Context, dir storage.Dir, s *shelf.Set) (bool, error) {
	return shelf.IsDescribed(ctx, dir, s, receiptFiles)
}

// receiptInForce reads the receipt of what a restore of p would give. While an
// overwrite is not settled that is not always the one in place: the new receipt
// is published first, and the old checkpoint counts until the new one is whole.
func receiptInForce(ctx context.Context, dir storage.Dir, sets shelf.Sets, p string) (Receipt, error) {
	if rec := sets[filename.Recovery(p)]; rec != nil && rec.Complete() {
		at, err := locatePath(ctx, dir, p)
		if err != nil {
			return Receipt{}, err
		}
		p = at.Stored
	}
	return ReadReceipt(ctx, dir, p)
}
