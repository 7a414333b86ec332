package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// tidy ends overwrites that were interrupted, and removes files of
// checkpoints of ours that have no index: never committed, or half removed.
// What has lost its index stays. What fails is left for the next time. It
// reports whether it did something. state is the text of the state file.
func (m *Manager) tidy(ctx context.Context, state []byte) (did bool) {
	var errs []error
	c := newCensus(m.dir, m.files.sets, state)
	m.unclear = false
	for p, s := range m.files.sets {
		of, recovery := strings.CutSuffix(p, filename.RecoverySuffix)
		if _, mine := filename.NumberOf(m.l.Name, of); !mine {
			continue
		}
		if dirlock.Free(m.out, of) != nil {
			continue // somebody who lost the lease may be about to go on there
		}
		var one bool
		var err error
		switch {
		case recovery:
			one, err = true, shelf.Settle(ctx, m.out, c.sets[of], s, receiptFiles)
		case c.isOrphan(p):
			one, err = m.tidyOrphan(ctx, c, s)
		case s.Index == nil && len(s.Data) == 0:
			one, err = m.tidyRest(ctx, c, s)
		}
		did, errs = did || one, append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		m.o.Logger.Warn("leftovers of an earlier writer stay", "err", err)
	}
	return did
}

// tidyOrphan removes what a save or a removal has left that was cut short, and
// keeps what has lost its index, as far as that can be told.
func (m *Manager) tidyOrphan(ctx context.Context, c *census, s *shelf.Set) (did bool, err error) {
	o, ours, err := c.judge(ctx, s)
	switch {
	case err != nil || !ours:
		return false, err
	case o.Fate == OrphanLeftover:
		m.o.Logger.Warn("removed what was left of a checkpoint without index", "path", s.Path, "why", o.Why)
		return true, shelf.Remove(ctx, m.out, s)
	case o.Fate == OrphanUnclear:
		m.unclear = true
		m.o.Logger.Warn(m.advised("data of a checkpoint without index stays until a newer one is saved"), "path", s.Path, "why", o.Why)
		return false, nil
	}
	m.o.Logger.Error(m.advised("the index of a checkpoint is lost; its other files stay"), "path", s.Path, "why", o.Why)
	return false, m.keepUnindexed(ctx, s)
}

// tidyAgain removes, now that something newer is whole, what was left unclear.
func (m *Manager) tidyAgain(ctx context.Context) {
	if !m.unclear {
		return
	}
	m.unclear = false
	if err := m.surveyAndTidy(ctx, m.seen); err != nil {
		m.o.Logger.Warn("leftovers of an earlier writer stay", "err", err)
		m.files.stale = true
	}
	m.unclear = false // once is enough for one opening
}

// after returns what a save comes after.
func (m *Manager) after() *string {
	p := m.l.Latest
	_, mine := filename.NumberOf(m.l.Name, p)
	for i := len(m.l.Active) - 1; i >= 0 && !mine; i-- {
		p = m.l.Active[i].Path
		_, mine = filename.NumberOf(m.l.Name, p)
	}
	if !mine {
		p = ""
	}
	return &p
}

// advised tells where to find out more.
func (m *Manager) advised(what string) string {
	where := "DIR"
	if named, ok := m.dir.(fmt.Stringer); ok {
		where = named.String()
	}
	return fmt.Sprintf("%s: see 'ckpt doctor %s'", what, where)
}

// keepUnindexed pins what has lost its index: parity, or somebody's copy, may
// bring that back, and by then the state file may name another as the latest.
func (m *Manager) keepUnindexed(ctx context.Context, s *shelf.Set) error {
	r, damage, err := readMarks(ctx, m.dir, s.Path)
	if err != nil || damage != nil || r.Schema == 0 || r.Pinned != "" || r.Path != s.Path {
		return err
	}
	r.Pinned = PinnedIndexLost
	return WriteReceipt(ctx, m.out, s.Path, r)
}

// tidyRest removes receipt and parity of what is gone: nobody but us writes such
// files. No removal of ours leaves the receipt of what is pinned or preserved: of
// such a checkpoint others may bring the data back.
func (m *Manager) tidyRest(ctx context.Context, c *census, s *shelf.Set) (did bool, err error) {
	if s.Receipt != nil {
		r, err := ReadReceipt(ctx, m.dir, s.Path)
		if err != nil {
			return false, unlessIO(err)
		}
		if r.Pinned != "" || r.Kept != "" || r.Path == c.latest {
			if begun, err := c.onlyBegun(ctx, r); err != nil || !begun {
				return false, err
			}
		}
	}
	m.o.Logger.Warn("removed what was left of a checkpoint that is gone", "path", s.Path)
	return true, shelf.Remove(ctx, m.out, s)
}

// unindexed returns an error that names the index if that of a checkpoint cannot
// be opened though data of it is there, and err if not.
func unindexed(ctx context.Context, dir storage.Dir, p string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if is, failed := hasData(ctx, dir, p); failed != nil || !is {
		return err
	}
	f, missing := dir.Open(ctx, tensorbundle.IndexName(p))
	if missing == nil {
		return closing(f, err)
	}
	if !errors.Is(missing, fs.ErrNotExist) {
		return missing
	}
	return mendable(ctx, dir, p, fmt.Errorf("restore %s: its index is lost, and its data files are there: "+
		"bring the index back, or remove the files of it that are left to go on without: %w", p, missing))
}

// hasData reports whether a checkpoint has data files, or an index that a listing
// shows, though it cannot be opened.
func hasData(ctx context.Context, dir storage.Dir, p string) (bool, error) {
	if filename.Check(p) != nil {
		return false, nil
	}
	sets, err := shelf.Scan(ctx, dir, p+".")
	s := sets[p]
	return s != nil && (s.Index != nil || len(s.Data) > 0), err
}
