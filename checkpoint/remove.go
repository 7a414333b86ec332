package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// Remove removes checkpoints: the indexes, then all other files, then what the
// state file says of them, which needs the room that may be lacking. Where the
// latest is among them the state file comes first, and the newest that stays
// becomes the latest. One that is
// not there is no error. Pins and policies are not asked: to thin out its
// directory is a manager's own business. A manager at work in this process
// notices at its next save. (TensorFlow: remove_checkpoint)
func Remove(ctx context.Context, dir storage.Dir, paths ...string) error {
	err := dirlock.Exclusive(ctx, dir, func(dir storage.Dir) error { return removeAlone(ctx, dir, paths) })
	if err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

func removeAlone(ctx context.Context, dir storage.Dir, paths []string) error {
	var indexes, others []string
	gone := make(map[string]bool)
	for _, p := range paths {
		if err := filename.Check(p); err != nil {
			return err
		}
		index, files, err := filesOf(ctx, dir, p)
		if err != nil {
			return err
		}
		indexes, others = append(indexes, index...), append(others, files...)
		gone[p] = true
		// One that Save put into a directory below is listed there.
		if in, base := path.Split(p); in != "" {
			if err := unlist(ctx, storage.Sub(dir, path.Clean(in)), map[string]bool{base: true}); err != nil {
				return err
			}
		}
	}
	latest, err := latestListed(ctx, dir)
	if err != nil || len(indexes)+len(others) == 0 {
		return errors.Join(err, unlist(ctx, dir, gone))
	}
	if gone[latest] {
		if err := unlist(ctx, dir, gone); err != nil {
			return err
		}
		return storage.RemoveAll(ctx, dir, shelf.InWaves(indexes, others)...)
	}
	if err := storage.RemoveAll(ctx, dir, shelf.InWaves(indexes, others)...); err != nil {
		return err
	}
	return unlist(ctx, dir, gone)
}

// latestListed returns what the state file calls the latest, "" if there is
// none that makes sense.
func latestListed(ctx context.Context, dir storage.Dir) (string, error) {
	s, err := ReadState(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	latest, _, _ := filename.Local(s.ModelCheckpointPath)
	return latest, unlessIO(err)
}

// filesOf returns the names of all files of a checkpoint: the indexes, of
// which an interrupted overwrite leaves two, and the others.
func filesOf(ctx context.Context, dir storage.Dir, p string) (indexes, others []string, err error) {
	sets, err := shelf.Scan(ctx, dir, p+".")
	if err != nil {
		return nil, nil, err
	}
	for _, s := range []*shelf.Set{sets[p], sets[filename.Recovery(p)]} {
		if s == nil {
			continue
		}
		if s.Index != nil {
			indexes = append(indexes, s.Index.Name)
		}
		others = append(others, s.Others()...)
	}
	if len(indexes) > 0 {
		return indexes, others, nil
	}
	at, err := locatePath(ctx, dir, p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, others, nil
	}
	return nil, append(others, at.V1...), err
}

// unlist takes checkpoints out of a state file. A broken one it leaves alone.
func unlist(ctx context.Context, dir storage.Dir, gone map[string]bool) error {
	was, err := ReadState(ctx, dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return unlessIO(err)
	}
	s := State(ledger.State(was).Lacking(gone))
	if s.ModelCheckpointPath == "" {
		newest, err := shelf.Newest(ctx, dir, func(p string) bool { return filename.OfDirectory(p) && !gone[p] })
		if err != nil {
			return err
		}
		if newest == "" {
			return storage.RemoveAll(ctx, dir, []string{filename.State})
		}
		s.ModelCheckpointPath = newest
	} else if len(s.AllModelCheckpointPaths) == len(was.AllModelCheckpointPaths) {
		return nil
	}
	return WriteState(ctx, dir, s)
}
