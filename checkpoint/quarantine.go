package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// Putting a broken checkpoint aside, so that nobody takes it for the newest
// and nothing of it is lost:
//
//  1. every file gets a second name in .ckpt.quarantine/ckpt-7, the index last
//  2. cause.json is written there: when, what, by whom
//  3. the state file names another checkpoint
//  4. the first names are removed: the index, and when that is durable the rest
//
// Before 4 nothing is lost of the checkpoint where it was; from then on it is
// whole in its new place. A crash before the end leaves it, in part or all,
// where it was too, and the next restore puts it aside again.

var (
	// ErrLastLeft is why a broken checkpoint is not put aside: no other is known
	// to be whole, and part of it may be worth more than nothing.
	ErrLastLeft = errors.New("it is the last one left: no other checkpoint is whole")
	// ErrWhole is why a checkpoint is not put aside that is not broken.
	ErrWhole = errors.New("read again, it is whole")
)

// QuarantineOptions are for Quarantine. Nil and zero values are the defaults.
type QuarantineOptions struct {
	Logger *slog.Logger     // told of what was done. Default: nobody
	Now    func() time.Time // the clock. Default: time.Now
}

// Quarantine puts the broken checkpoint path of dir aside: its files keep their
// names in the directory it returns, with the cause beside them in cause.json,
// and nothing is removed. Unquarantine takes them back.
//
// It holds the writers' lock, reads the checkpoint twice, and refuses one that
// is whole (ErrWhole) or that no other could stand in for (ErrLastLeft). An
// error of the place is no proof of damage, and is returned. Where there are no
// locks the error wraps errors.ErrUnsupported.
func Quarantine(ctx context.Context, dir storage.Dir, path string, o *QuarantineOptions) (where string, err error) {
	q := newQuarantine(dir, o)
	err = q.locked(ctx, func() error {
		where, err = q.one(ctx, path)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("quarantine %s: %w", path, err)
	}
	return where, nil
}

// quarantine is what puts checkpoints of a directory aside.
type quarantine struct {
	dir storage.Dir
	log *slog.Logger
	now func() time.Time
	// unlist is step 3, before path leaves.
	unlist func(ctx context.Context, path string) error
}

func newQuarantine(dir storage.Dir, o *QuarantineOptions) *quarantine {
	q := &quarantine{dir: dir, log: slog.New(slog.DiscardHandler), now: time.Now}
	if o != nil && o.Logger != nil {
		q.log = o.Logger
	}
	if o != nil && o.Now != nil {
		q.now = o.Now
	}
	q.unlist = func(ctx context.Context, p string) error { return unlist(ctx, q.dir, map[string]bool{p: true}) }
	return q
}

// locked runs do with the writers' lock.
func (q *quarantine) locked(ctx context.Context, do func() error) error {
	lock, locked, err := dirlock.Lock(ctx, q.dir)
	if err != nil {
		return err
	}
	if !locked {
		err = fmt.Errorf("somebody may be writing: this storage has no locks: %w", errors.ErrUnsupported)
	} else {
		q.dir = dirlock.Guarded(lock, q.dir)
		err = dirlock.InTurn(ctx, lock, do)
	}
	if failed := lock.Unlock(); err == nil {
		err = failed
	}
	return err
}

// one puts one checkpoint aside that nobody has looked at.
func (q *quarantine) one(ctx context.Context, p string) (string, error) {
	if _, err := verifyAt(ctx, q.dir, p, true, q.log); err == nil {
		return "", ErrWhole
	}
	if _, err := q.confirm(ctx, p); err != nil {
		return "", err
	}
	for other, err := range newestFirst(ctx, q.dir) {
		if err != nil {
			return "", err
		}
		if other == p {
			continue
		}
		_, err := verifyAt(ctx, q.dir, other, true, q.log)
		if err == nil {
			return q.put(ctx, p)
		}
		if !isDamage(err) && !errors.Is(err, ErrRejected) {
			return "", err
		}
	}
	return "", ErrLastLeft
}

// afterWalk puts the damaged ones aside that a walk has passed over before it
// found one that is whole. Of one that proves whole now there is no more to
// say: it is the newest that is valid, and the walk went too far.
func (q *quarantine) afterWalk(ctx context.Context, valid string, passed []Broken) (string, []Broken, error) {
	err := q.locked(ctx, func() error {
		for i := range passed {
			if !isDamage(passed[i].Err) {
				continue
			}
			where, err := q.put(ctx, passed[i].Path)
			switch {
			case errors.Is(err, ErrWhole):
				valid, passed = passed[i].Path, passed[:i]
				return nil
			case errors.Is(err, errGone):
				continue // the state file names it, and nothing is there
			case err != nil:
				return fmt.Errorf("quarantine %s: %w", passed[i].Path, err)
			}
			passed[i].Quarantined = where
		}
		return nil
	})
	if isReader(err) {
		q.log.Warn("broken checkpoints stay where they are", "err", err)
		err = nil
	}
	if err != nil {
		return "", passed, fmt.Errorf("latest valid checkpoint: %w", err)
	}
	return valid, passed, nil
}

// isReader reports whether err says that somebody else is the one to write.
func isReader(err error) bool {
	return errors.Is(err, storage.ErrLocked) || errors.Is(err, errors.ErrUnsupported) ||
		errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// errGone is why there is nothing to put aside.
var errGone = errors.New("nothing of it is there")

// put confirms once more that a checkpoint is broken and puts it aside. The
// caller holds the lock, and knows of another that is whole.
func (q *quarantine) put(ctx context.Context, p string) (where string, err error) {
	// What looks broken may be what a writer that lost its lease is writing.
	if err := dirlock.Free(q.dir, p); err != nil {
		return "", err
	}
	if err := shelf.SettleAt(ctx, q.dir, p, receiptFiles); err != nil {
		return "", err
	}
	cause, err := q.confirm(ctx, p)
	if err != nil {
		return "", err
	}
	err = dirlock.BetweenSweeps(ctx, q.dir, dirlock.PinPatience, func(storage.Dir) error {
		where, err = q.move(ctx, p, cause)
		return err
	})
	if err == nil {
		q.log.Warn("put a broken checkpoint aside", "path", p, "to", where, "cause", cause)
	}
	return where, err
}

// confirm reads a checkpoint again, from files that are opened for it, and
// returns what is wrong with it. A file counts as missing when a listing has
// all that is there, and not it.
func (q *quarantine) confirm(ctx context.Context, p string) (cause, err error) {
	_, cause = verifyAt(ctx, q.dir, p, true, slog.New(slog.DiscardHandler))
	switch {
	case cause == nil:
		return nil, ErrWhole
	case !isDamage(cause):
		return nil, cause
	case !errors.Is(cause, fs.ErrNotExist):
		return cause, nil
	}
	sets, err := shelf.Scan(ctx, q.dir, p+".")
	switch s := sets[p]; {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, fmt.Errorf("%w: %w", errGone, cause)
	case s.Complete():
		return nil, &unopened{cause}
	}
	return cause, nil
}

// unopened is why nobody can judge what is there and cannot be opened: a link,
// say, to a store that is not mounted. It may be whole, and stays.
type unopened struct{ err error }

func (u *unopened) Error() string {
	return "a file cannot be opened that a listing shows: " + u.err.Error()
}

// Is reports that this is no failure and no damage, but nothing that can be done.
func (u *unopened) Is(target error) bool { return target == errors.ErrUnsupported }

// move is steps 1 to 4, when no pin or lease can come in between.
func (q *quarantine) move(ctx context.Context, p string, cause error) (string, error) {
	indexes, others, err := filesOf(ctx, q.dir, p)
	if err != nil {
		return "", err
	}
	where, err := q.free(ctx, p)
	if err != nil {
		return "", err
	}
	for _, name := range slices.Concat(others, indexes) {
		if err := storage.Link(ctx, q.dir, name, path.Join(where, path.Base(name))); err != nil {
			return "", err
		}
	}
	if err := q.writeCause(ctx, where, p, cause, slices.Concat(indexes, others)); err != nil {
		return "", err
	}
	if err := q.unlist(ctx, p); err != nil {
		return "", err
	}
	return where, storage.RemoveAll(ctx, q.dir, shelf.InWaves(indexes, others)...)
}

// free finds a directory for a checkpoint. Where a crash has left second names
// of what is still in place, and no cause, these are taken away first.
func (q *quarantine) free(ctx context.Context, p string) (string, error) {
	for n := 1; ; n++ {
		where := filename.Quarantined(p, n)
		var there []storage.Info
		if err := shelf.EachFile(ctx, q.dir, where+"/", func(info storage.Info) { there = append(there, info) }); err != nil {
			return "", err
		}
		var again []string
		for _, info := range there {
			same, err := q.same(ctx, info, path.Join(path.Dir(p), path.Base(info.Name)))
			if err != nil {
				return "", err
			}
			if same {
				again = append(again, info.Name)
			}
		}
		switch {
		case len(there) == 0:
			return where, nil
		case len(again) == len(there):
			return where, storage.RemoveAll(ctx, q.dir, again)
		}
	}
}

// same reports whether the file name is there and has the bytes of another.
func (q *quarantine) same(ctx context.Context, other storage.Info, name string) (bool, error) {
	size, sum, err := fileSum(ctx, q.dir, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && size != other.Size {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, was, err := fileSum(ctx, q.dir, other.Name)
	return was == sum, err
}

// fileSum returns size and CRC-32C of a file.
func fileSum(ctx context.Context, dir storage.Dir, name string) (int64, uint32, error) {
	f, err := dir.Open(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(sum, io.NewSectionReader(f, 0, f.Size()))
	return n, sum.Sum32(), closing(f, err)
}
