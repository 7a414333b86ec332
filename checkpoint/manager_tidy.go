package checkpoint

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// tidy ends overwrites that were interrupted, and removes files of
// checkpoints of ours that have no index: never committed, or half removed.
// What fails is left for the next time. It reports whether it did something.
// state is the text of the state file.
func (m *Manager) tidy(ctx context.Context, state []byte) (did bool) {
	var err error
	sets := m.files.sets
	for p, s := range sets {
		of, recovery := strings.CutSuffix(p, filename.RecoverySuffix)
		if _, mine := filename.NumberOf(m.l.Name, of); !mine {
			continue
		}
		if dirlock.Free(m.out, of) != nil {
			continue // somebody who lost the lease may be about to go on there
		}
		if recovery {
			did = true
			err = errors.Join(err, shelf.Settle(ctx, m.out, sets[of], s, receiptFiles))
		} else if s.Index == nil && s.Receipt != nil {
			did = true
			err = errors.Join(err, m.removeOrphan(ctx, s, state))
		} else if s.Index == nil && len(s.Data) == 0 && len(s.Parity) > 0 {
			did = true
			err = errors.Join(err, m.removeParity(ctx, s))
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
func (m *Manager) removeOrphan(ctx context.Context, s *shelf.Set, state []byte) error {
	r, err := ReadReceipt(ctx, m.dir, s.Path)
	if err != nil {
		return unlessIO(err)
	}
	if isLatest(state, r.Path) {
		return m.keepUnindexed(ctx, r)
	}
	if r.Pinned != "" || r.Kept != "" {
		// No removal of ours takes its index. If it had one, that was lost, and may be brought back.
		if begun, err := m.onlyBegun(ctx, r, state); err != nil || !begun {
			return err
		}
	}
	for _, d := range s.Data {
		if f, ok := r.file(path.Base(d.Name)); !ok || f.Size != d.Size {
			return nil
		}
	}
	m.o.Logger.Warn("removed what was left of a checkpoint without index", "path", s.Path)
	return shelf.Remove(ctx, m.out, s)
}

// isLatest reports whether a state file calls the path the latest. It does so
// after the index is there, and no longer when that is taken away.
func isLatest(state []byte, path string) bool {
	s, err := parseState(state)
	latest, _, ok := filename.Local(s.ModelCheckpointPath)
	return err == nil && ok && latest == path
}

// keepUnindexed pins what was acknowledged and has lost its index: parity, or
// somebody's copy, may bring that back.
func (m *Manager) keepUnindexed(ctx context.Context, r Receipt) error {
	m.o.Logger.Error("the index of the latest checkpoint is lost; its other files stay, see 'ckpt doctor'", "path", r.Path)
	if r.Pinned != "" {
		return nil
	}
	r.Pinned = "its index was lost"
	return WriteReceipt(ctx, m.out, r.Path, r)
}

// onlyBegun reports whether the save of a receipt never had an index: both its
// number and its count are above what the state file tells of, and every
// checkpoint that was acknowledged was once the latest there.
func (m *Manager) onlyBegun(ctx context.Context, r Receipt, state []byte) (bool, error) {
	s, err := parseState(state)
	if err != nil {
		return false, nil // whoever has lost this file may have lost others
	}
	n, mine := filename.NumberOf(m.l.Name, r.Path)
	latest, _, ok := filename.Local(s.ModelCheckpointPath)
	if !ok || !mine || n <= ledger.State(s).Highest(m.l.Name) {
		return false, nil
	}
	above, err := m.madeAs(ctx, latest)
	return above.count >= 0 && r.SaveCounter > above.count, err
}

// removeParity removes the parity of what is gone, receipt, data and all: nobody
// but us writes such files. Beside data it may bring a lost index back.
func (m *Manager) removeParity(ctx context.Context, s *shelf.Set) error {
	var names []string
	for _, p := range s.Parity {
		names = append(names, p.Name)
	}
	m.o.Logger.Warn("removed the parity of a checkpoint that is gone", "path", s.Path)
	return storage.RemoveAll(ctx, m.out, names)
}
