package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// LatestValidOptions change what LatestValid asks of a checkpoint.
type LatestValidOptions struct {
	// Deep reads the data files and verifies every checksum, as Reader.Verify
	// does. Without it the check is Reader.VerifyQuick's.
	Deep bool
	// Quarantine puts the damaged checkpoints aside that are passed over, as
	// the function Quarantine does, once one is found that is whole. It reads
	// the data, as with Deep. Where another process holds the writers' lock, or
	// this one may not write, they stay.
	Quarantine bool
	// Logger is told of each checkpoint that is passed over. Default: nobody.
	Logger *slog.Logger
}

// LatestValid returns the path of the newest checkpoint of dir that is whole
// and not rejected, and those it passed over on the way: first the one that
// the state file names, then the others it lists, the last saved first, then
// the rest as List sorts them, newest first. TensorFlow has no such function:
// its latest_checkpoint returns what the state file says.
//
// One whose receipt is damaged, or tells of other files, is judged without it,
// by the checksums of all its tensors; that is told to the Logger.
//
// Where there are checkpoints and none is valid the error is ErrNoneValid;
// where there are none at all, fs.ErrNotExist. An error of the place itself is
// not damage, and ends the search.
func LatestValid(ctx context.Context, dir storage.Dir, o *LatestValidOptions) (path string, passed []Broken, err error) {
	if o == nil {
		o = new(LatestValidOptions)
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	for p, err := range newestFirst(ctx, dir) {
		if err == nil {
			path, err = verifyAt(ctx, dir, p, o.Deep || o.Quarantine, log)
		}
		if err == nil {
			if o.Quarantine {
				q := newQuarantine(dir, &QuarantineOptions{Logger: log})
				return q.afterWalk(ctx, path, passed)
			}
			return path, passed, nil
		}
		if !isDamage(err) && !errors.Is(err, ErrRejected) {
			return "", passed, fmt.Errorf("latest valid checkpoint: %w", err)
		}
		log.Warn("passed over a checkpoint", "path", p, "err", err)
		passed = append(passed, Broken{Path: p, Err: err})
	}
	if len(passed) == 0 {
		return "", nil, noCheckpoint(dir)
	}
	if o.Quarantine {
		return "", passed, fmt.Errorf("%w\n\tall stay where they are: %w", &NoneValidError{passed}, ErrLastLeft)
	}
	return "", passed, &NoneValidError{passed}
}

// verifyAt returns the path of the checkpoint p, as Load's Reader has it, and
// what is wrong with it.
func verifyAt(ctx context.Context, dir storage.Dir, p string, deep bool, log *slog.Logger) (string, error) {
	at, err := locatePath(ctx, dir, p)
	if err != nil {
		return "", err
	}
	if err := rejection(ctx, dir, at.Stored); err != nil {
		return "", err
	}
	r, err := loadAt(ctx, dir, at)
	if err != nil {
		return "", err
	}
	err = r.verifyRestorable(ctx, deep, log)
	return at.Path, closing(r, err)
}

// verifyRestorable returns what would keep the checkpoint from being restored.
// The receipt vouches for it only as far as it is about it.
func (r *Reader) verifyRestorable(ctx context.Context, deep bool, log *slog.Logger) error {
	if r.v2 != nil {
		if err := r.quickData(ctx); err != nil {
			return err
		}
	}
	doubt := r.VerifyQuick(ctx)
	if doubt != nil && !isDamage(doubt) {
		return doubt
	}
	if doubt != nil {
		log.Warn("the receipt is not believed, all tensors are read", "path", r.path, "err", doubt)
	}
	if !deep && doubt == nil {
		return nil
	}
	return r.verifyTensors(ctx)
}

// newestFirst yields the paths of all checkpoints, one that the state file
// names and that is gone among them. The directory is listed only if the one
// that is named as the latest is not enough. An error is the last.
func newestFirst(ctx context.Context, dir storage.Dir) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		s, err := ReadState(ctx, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && unlessIO(err) != nil {
			yield("", err)
			return
		}
		latest, _, named := filename.Local(s.ModelCheckpointPath)
		if named && !yield(latest, nil) {
			return
		}
		paths, err := byAge(ctx, dir, s)
		if err != nil {
			yield("", err)
			return
		}
		for _, p := range slices.Backward(paths) {
			if (!named || p != latest) && !yield(p, nil) {
				return
			}
		}
	}
}

// byAge lists the checkpoints of dir from the oldest to the newest. Those that
// a state file lists are the newest, in its order: where numbers are chosen, a
// higher one is not newer.
func byAge(ctx context.Context, dir storage.Dir, s State) ([]string, error) {
	list, err := List(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	order := make(map[string]int)
	for i, entry := range s.AllModelCheckpointPaths {
		if p, _, ok := filename.Local(entry); ok {
			order[p] = i + 1
		}
	}
	var paths []string
	for _, e := range list {
		if filename.OfDirectory(e.Path) || order[e.Path] > 0 {
			paths = append(paths, e.Path)
		}
	}
	slices.SortStableFunc(paths, func(a, b string) int { return order[a] - order[b] })
	return paths, nil
}
