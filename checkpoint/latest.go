package checkpoint

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// Latest returns the path of the newest checkpoint of dir: the one that the
// state file names, if it is there. Without a usable state file it is the
// complete checkpoint of the highest number. A directory without any is an
// error that wraps fs.ErrNotExist. (TensorFlow: tf.train.latest_checkpoint)
func Latest(ctx context.Context, dir storage.Dir) (path string, err error) {
	s, err := ReadState(ctx, dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && unlessIO(err) != nil {
			return "", err
		}
		return mustBeOnDisk(ctx, dir)
	}
	if p, _, ok := filename.Local(s.ModelCheckpointPath); ok {
		at, err := locatePath(ctx, dir, p)
		if !errors.Is(err, fs.ErrNotExist) {
			return at.Path, err
		}
	}
	return mustBeOnDisk(ctx, dir)
}

// mustBeOnDisk finds the newest without the state file.
func mustBeOnDisk(ctx context.Context, dir storage.Dir) (string, error) {
	p, err := shelf.Newest(ctx, dir, filename.OfDirectory)
	if err == nil && p == "" {
		err = noCheckpoint(dir)
	}
	return p, err
}
