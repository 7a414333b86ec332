package checkpoint

import (
	"context"
	"errors"
	"path"
	"strings"
)

// tidy ends overwrites that were interrupted, and removes files of
// checkpoints of ours that have no index: never committed, or half removed.
// What fails is left for the next time. It reports whether it did something.
func (m *Manager) tidy(ctx context.Context) (did bool) {
	var err error
	sets := m.files.sets
	for p, s := range sets {
		of, recovery := strings.CutSuffix(p, recoverySuffix)
		if _, mine := numberOf(m.l.name, of); !mine {
			continue
		}
		if recovery {
			did = true
			err = errors.Join(err, settle(ctx, m.dir, sets[of], s))
		} else if s.index == nil && s.receipt != nil {
			did = true
			err = errors.Join(err, m.removeOrphan(ctx, s))
		}
	}
	if err != nil {
		m.o.Logger.Warn("leftovers of an earlier writer stay", "err", err)
	}
	return did
}

// removeOrphan removes what the receipt says to be ours, and only if the
// sizes say so too: data files without index may also be TensorFlow's, just
// being written.
func (m *Manager) removeOrphan(ctx context.Context, s *fileSet) error {
	r, err := ReadReceipt(ctx, m.dir, s.path)
	if err != nil {
		return unlessIO(err)
	}
	for _, d := range s.data {
		if f, ok := r.file(path.Base(d.Name)); !ok || f.Size != d.Size {
			return nil
		}
	}
	m.o.Logger.Warn("removed files of a checkpoint that was never complete", "path", s.path)
	return removeSet(ctx, m.dir, s)
}
