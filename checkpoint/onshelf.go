package checkpoint

import (
	"context"
	"slices"

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
