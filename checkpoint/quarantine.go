package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
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
	ErrLastLeft = errors.New("it is the last one left: no other checkpoint of its name is whole")
	// ErrWhole is why a checkpoint is not put aside that is not broken.
	ErrWhole = errors.New("read again, it is whole")
	// ErrLeased is why a checkpoint is not put aside that somebody is reading.
	ErrLeased = errors.New("a reader holds a lease on it")
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
// is whole (ErrWhole), on which somebody holds a lease (ErrLeased), or that no
// other could stand in for (ErrLastLeft): one of the same name that is whole. An
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
	unlist func(ctx context.Context, dir storage.Dir, path string) error
}

func newQuarantine(dir storage.Dir, o *QuarantineOptions) *quarantine {
	q := &quarantine{dir: dir, log: slog.New(slog.DiscardHandler), now: time.Now}
	if o != nil && o.Logger != nil {
		q.log = o.Logger
	}
	if o != nil && o.Now != nil {
		q.now = o.Now
	}
	q.unlist = func(ctx context.Context, dir storage.Dir, p string) error {
		return unlist(ctx, dir, map[string]bool{p: true})
	}
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
		if !standsIn(other, p) {
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

// standsIn reports whether the checkpoint other, if it is whole, can be
// restored in the place of p. One of another name is of other objects.
func standsIn(other, p string) bool {
	name, _, numbered := filename.SplitNumber(p)
	_, same := filename.NumberOf(name, other)
	return numbered && same && other != p
}

// passed puts the damaged ones aside that were passed over before valid was
// found, which is whole, and has been so since this process holds the lock.
func (q *quarantine) passed(ctx context.Context, valid string, passed []Broken) error {
	for i, b := range passed {
		if !b.damaged() || !standsIn(valid, b.Path) {
			continue
		}
		where, err := q.put(ctx, b.Path)
		switch {
		case errors.Is(err, ErrWhole):
			q.log.Warn("a checkpoint that was passed over is whole when it is read again, and stays", "path", b.Path)
		case errors.Is(err, ErrLeased), errors.As(err, new(*unopened)):
			q.log.Warn("a broken checkpoint stays where it is", "path", b.Path, "err", err)
		case errors.Is(err, errGone): // the state file names it, and nothing is there
		case err != nil:
			return fmt.Errorf("quarantine %s: %w", b.Path, err)
		default:
			passed[i].Quarantined = where
		}
	}
	return nil
}

// isReader reports whether err says that this process is not the one to write,
// or that there is no room to: it passes over what is broken, as readers do.
func isReader(err error) bool {
	return slices.ContainsFunc([]error{
		storage.ErrLocked, errors.ErrUnsupported, fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT,
	}, func(target error) bool { return errors.Is(err, target) })
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
	err = dirlock.BetweenSweeps(ctx, q.dir, dirlock.PinPatience, func(dir storage.Dir) error {
		between := *q
		between.dir = dir
		if err := between.unleased(ctx, p); err != nil {
			return err
		}
		where, err = between.move(ctx, p, cause)
		return err
	})
	if err == nil {
		q.log.Warn("put a broken checkpoint aside", "path", p, "to", where, "cause", cause)
	}
	return where, err
}

// unleased refuses what somebody reads, who would find it gone.
func (q *quarantine) unleased(ctx context.Context, p string) error {
	by, err := holders(ctx, q.dir, placeTime(ctx, q.dir, untold), func(path string) bool { return path == p })
	if err == nil && by[p] != "" {
		err = fmt.Errorf("%w: %s", ErrLeased, by[p])
	}
	return err
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
