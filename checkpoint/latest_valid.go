package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"slices"
	"syscall"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// LatestValidOptions change what LatestValid asks of a checkpoint.
type LatestValidOptions struct {
	// Deep reads the data files and verifies every checksum, as Reader.Verify
	// does. Without it the check is Reader.VerifyQuick's.
	Deep bool
	// Quarantine mends a damaged checkpoint first if it has parity, as Repair
	// does, and puts those aside that cannot be mended, as the function
	// Quarantine does, once one of their name is found that is whole. It reads
	// the data, as with Deep. Where another process holds the writers' lock,
	// this one may not write, or the disk is full, they stay as they are.
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
// by the checksums of all its tensors; that is told to the Logger. One that was
// mended is valid, and is the last of the list, too: Broken.Mended says so.
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
	w := walk{dir: dir, deep: o.Deep || o.Quarantine, log: log}
	path, passed, err = w.run(ctx)
	if o.Quarantine && (errors.Is(err, syscall.EIO) || anyDamaged(passed)) {
		path, passed, err = w.heal(ctx, path, passed, err)
	}
	for _, b := range passed {
		if b.Mended == nil {
			log.Warn("passed over a checkpoint", "path", b.Path, "err", b.Err)
		}
	}
	switch {
	case err != nil:
		return "", passed, fmt.Errorf("latest valid checkpoint: %w", err)
	case path != "":
		return path, passed, nil
	case len(passed) == 0:
		return "", nil, noneListed(ctx, dir)
	case o.Quarantine:
		return "", passed, fmt.Errorf("%w\n\tall stay where they are: %w", &NoneValidError{passed}, ErrLastLeft)
	}
	return "", passed, &NoneValidError{passed}
}

// noneListed is the error of a directory that lists no checkpoint: there may be
// one that has lost its index.
func noneListed(ctx context.Context, dir storage.Dir) error {
	lost, err := Latest(ctx, dir)
	if err != nil {
		return err
	}
	return &NoneValidError{[]Broken{{Path: lost, Err: unindexed(ctx, dir, lost, fs.ErrNotExist)}}}
}

// walk is a search for a checkpoint that is valid.
type walk struct {
	dir  storage.Dir
	deep bool
	log  *slog.Logger
	q    *quarantine // of who holds the lock; nil: nothing may be changed
}

// run returns the newest valid checkpoint, "" if there is none.
func (w *walk) run(ctx context.Context) (path string, passed []Broken, err error) {
	for p, err := range newestFirst(ctx, w.dir) {
		if err == nil {
			path, err = verifyAt(ctx, w.dir, p, w.deep, w.log)
		}
		if isBad(err) && w.q != nil {
			mended, failed := w.mend(ctx, p, err)
			if failed != nil {
				return "", passed, failed
			}
			if mended != nil {
				passed = append(passed, Broken{Path: p, Err: err, Mended: mended})
				path, err = verifyAt(ctx, w.dir, p, w.deep, w.log)
			}
		}
		if err == nil {
			return path, passed, nil
		}
		if !isDamage(err) && !errors.Is(err, ErrRejected) {
			return "", passed, mendable(ctx, w.dir, p, err)
		}
		passed = append(passed, Broken{Path: p, Err: mendable(ctx, w.dir, p, err)})
	}
	return "", passed, nil
}

// heal walks again as the one that writes. What it finds damaged was read twice
// then; what it finds whole is so while nobody else writes.
func (w *walk) heal(ctx context.Context, path string, passed []Broken, found error) (string, []Broken, error) {
	q := newQuarantine(w.dir, &QuarantineOptions{Logger: w.log})
	err := q.locked(ctx, func() error {
		healing := walk{dir: q.dir, deep: w.deep, log: w.log, q: q}
		path, passed, found = healing.run(ctx)
		if found != nil || path == "" || healing.q == nil {
			return nil
		}
		return q.passed(ctx, path, passed)
	})
	if isReader(err) {
		w.log.Warn("broken checkpoints stay where they are", "err", err)
		err = nil
	}
	if err != nil {
		return "", passed, err
	}
	return path, passed, found
}

// mend lets parity mend a checkpoint. Where there is no way to write, nothing
// is put aside either: what could be mended may be the newest that is valid.
func (w *walk) mend(ctx context.Context, p string, why error) ([]Mended, error) {
	list, err := mendNow(ctx, w.q.dir, p, why, w.log)
	if isReader(err) {
		w.log.Warn("broken checkpoints stay where they are", "path", p, "err", err)
		w.q, err = nil, nil
	}
	return list, err
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
