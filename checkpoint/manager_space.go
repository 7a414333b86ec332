package checkpoint

import (
	"context"
	"errors"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/publish"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// NoSpaceError says that a save was refused before anything was written,
// because the file system has no room for it, or the user's quota. It is
// syscall.ENOSPC to errors.Is.
type NoSpaceError = publish.NoSpaceError

// makeRoom removes, where the user allows it and the save would not fit, what
// retention would remove after it. Judged as if the save were done, but what
// is a floor as long as it is not stays: there is always a checkpoint.
func (m *Manager) makeRoom(ctx context.Context, s *save, w *writing) error {
	if !m.o.MakeRoom {
		return nil
	}
	short := w.Short(ctx)
	if short == nil {
		return nil
	}
	return dirlock.BetweenSweeps(ctx, m.out, dirlock.SweepPatience, func(dir storage.Dir) error {
		next := s.entry(w)
		sweep, err := m.judgeAsking(ctx, func() ledger.Sweep { return m.l.JudgeBefore(m.policy(), next) })
		if err != nil {
			return err
		}
		victims := m.enough(sweep.Remove, next, short.Missing())
		if len(victims) == 0 {
			return nil // the save itself says what is missing
		}
		m.o.Logger.Warn("room is made before the save", "path", s.path, "missing", short.Missing(), "removed", len(victims))
		// Names of what is gone do no harm, should they come back.
		return errors.Join(m.remove(ctx, dir, victims), m.record(ctx, m.l, storage.WriteFileSoon))
	})
}

// entry is the checkpoint as it will be, for a policy.
func (s *save) entry(w *writing) retention.Checkpoint {
	r := w.receipt
	r.Path, r.Time, r.Files = s.path, s.m.o.Now(), receiptsFiles(w.Links())
	c := r.checkpoint(s.path, r.Time)
	c.Size, c.Verified = c.Size+w.Need, true
	return c
}

// enough returns the oldest of the victims that together free so many bytes,
// or none if all of them do not. What a victim shares with one that stays, or
// with the next, does not become free.
func (m *Manager) enough(victims []ledger.Judged, next retention.Checkpoint, missing int64) []ledger.Judged {
	known := newSharing()
	sized := make(map[string]retention.Checkpoint, len(m.l.Active))
	all := []retention.Checkpoint{next}
	for _, c := range slices.Backward(m.l.Active) {
		sized[c.Path] = m.sized(c, known)
		all = append(all, sized[c.Path])
	}
	holders := ledger.HoldersOf(all)
	for i, c := range victims {
		if missing -= holders.Release(sized[c.Path]); missing <= 0 {
			return victims[:i+1]
		}
	}
	return nil
}

// sized returns c with what was listed of it, where a state file alone tells of
// it: who has no policy reads no receipts.
func (m *Manager) sized(c retention.Checkpoint, known *sharing) retention.Checkpoint {
	if set := m.files.sets[c.Path]; c.Size == 0 && set != nil {
		c.Size, c.Shared = set.Size(), known.files(set, Receipt{})
	}
	return c
}

// watchSpace warns once when the room that is left comes below what the user
// wants, and again when it has been above that in between.
func (m *Manager) watchSpace(ctx context.Context, w *writing) {
	limit := m.o.WarnBelow
	if limit == 0 {
		limit = savesAhead * w.receipt.size()
	}
	space, err := storage.Room(ctx, m.dir)
	if err != nil || limit < 0 {
		return
	}
	low := space.Free < limit
	if low && !m.low {
		m.o.Logger.Warn("disk is nearly full", "free", space.Free, "total", space.Total, "checkpoint", w.receipt.size())
	}
	m.low = low
}

// savesAhead is how many more saves there should be room for.
const savesAhead = 2
