package checkpoint

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/storage"
)

// Exists reports whether there is a checkpoint of exactly this path. Whether
// all its data files are there and whole is what Verify tells.
// (TensorFlow: checkpoint_exists)
func Exists(ctx context.Context, dir storage.Dir, path string) (bool, error) {
	_, err := locatePath(ctx, dir, path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
