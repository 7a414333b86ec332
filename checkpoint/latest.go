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
// complete checkpoint of the highest number. One of which only the index is lost
// counts as there: who restores it gets an error that says so. A directory without any is an
// error that wraps fs.ErrNotExist. (TensorFlow: tf.train.latest_checkpoint)
func Latest(ctx context.Context, dir storage.Dir) (path string, err error) {
	p, err := latest(ctx, dir, hasData)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if lost, failed := lostInstead(ctx, dir, p); lost != "" || failed != nil {
		return lost, failed
	}
	return p, err
}

// lostInstead returns what lost its index and is newer than p, which Latest
// would return, "" if nothing is.
func lostInstead(ctx context.Context, dir storage.Dir, p string) (string, error) {
	s, err := readIfUsable(ctx, dir)
	if named, _, ok := filename.Local(s.ModelCheckpointPath); err != nil || ok && p != "" && named == p {
		return "", err
	}
	c, err := takeCensus(ctx, dir)
	if err != nil {
		return "", err
	}
	return c.lostInstead(ctx, p)
}

// latestThere is Latest for those who follow a directory at work: what has no
// index may be going just now.
func latestThere(ctx context.Context, dir storage.Dir) (string, error) {
	return latest(ctx, dir, func(context.Context, storage.Dir, string) (bool, error) { return false, nil })
}

// latest asks lost about what the state file names and has no index.
func latest(ctx context.Context, dir storage.Dir, lost func(context.Context, storage.Dir, string) (bool, error)) (string, error) {
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
		if is, err := lost(ctx, dir, p); err != nil || is {
			return p, err
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
