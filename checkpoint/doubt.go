package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
)

// A receipt is damaged where its checksum says so, and not about its
// checkpoint where it tells of another index: TensorFlow has saved that number
// again, or somebody has copied files. Neither keeps a checkpoint from being
// restored, whose own checksums are in index and data. What such a receipt
// says counts for nothing, with one exception: since a damaged one may have
// said that the checkpoint is pinned, no rule removes that.

// maybePinned is why what has a damaged receipt stays.
const maybePinned = "its receipt is damaged and may have said so"

// readMarks is ReadReceipt for those who look for marks. damage is what is
// wrong with a receipt that cannot be understood; a missing one is an empty one.
func readMarks(ctx context.Context, dir storage.Dir, path string) (r Receipt, damage, err error) {
	r, err = ReadReceipt(ctx, dir, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Receipt{}, nil, nil
	case err != nil && unlessIO(err) == nil:
		return Receipt{}, err, nil
	}
	return r, nil, err
}

// doubt returns why the checkpoint's receipt is not believed, nil if it is or
// if there is none. That one cannot be read now is such a reason, too: nothing
// that is restored depends on it.
func (r *Reader) doubt(ctx context.Context) error {
	rc, err := r.Receipt(ctx)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (r.v2 == nil || rc.silent()) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.describedIndex(rc)
}

// describedIndex compares the index with what the receipt says of it. The
// index has the checksums of all the rest.
func (r *Reader) describedIndex(rc Receipt) error {
	want, ok := rc.file(path.Base(tensorbundle.IndexName(r.path)))
	if !ok {
		return flawed(ReceiptName(r.stored), "does not list the index")
	}
	v := &verifier{r: r}
	f, _, err := v.sized(tensorbundle.IndexName(r.stored), want)
	if err == nil {
		err = v.summed(f, want)
	}
	return err
}
