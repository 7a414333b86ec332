package checkpoint

import (
	"context"

	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// What package shelf does is up to receipts in some places, which it does not
// know.

// receiptFiles returns what a receipt says of its checkpoint's files.
func receiptFiles(ctx context.Context, dir storage.Dir, path string) ([]shelf.File, error) {
	r, err := ReadReceipt(ctx, dir, path)
	if err != nil {
		return nil, unlessIO(err)
	}
	var files []shelf.File
	for _, f := range r.Files {
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

// settle ends an overwrite: main is what is in place, rec the recovery set.
func settle(ctx context.Context, dir storage.Dir, main, rec *shelf.Set) error {
	return shelf.Settle(ctx, dir, main, rec, receiptFiles)
}

// settlePath looks at what there is of a path and settles it.
func settlePath(ctx context.Context, dir storage.Dir, path string) error {
	return shelf.SettleAt(ctx, dir, path, receiptFiles)
}
