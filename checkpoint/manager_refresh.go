package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/retention"
)

// refresh takes note of what somebody else has written to the state file: the
// manager's own list stands, and what else is managed there stays listed.
func (m *Manager) refresh(ctx context.Context, text []byte) error {
	m.seen = text
	s, usable := m.parse(text)
	managed, _ := ledger.State(s).Managed(m.o.Now(), ledger.State(s).Preserved(), func(string) bool { return false })
	if usable {
		m.files.top = max(m.files.top, ledger.State(s).Highest(m.l.Name))
		m.l.Others = nil
	} else if err := m.keepOthers(ctx); err != nil {
		return err
	}
	listed := make(map[string]bool)
	for _, c := range managed {
		listed[c.Path] = true
		if i := ledger.Find(m.l.Active, c.Path); i < 0 {
			m.l.Others = append(m.l.Others, c)
		} else if savedAgain(c, m.l.Active[i].Time) {
			m.notOurs(c.Path)
			m.l.Others = append(m.l.Others, c)
		}
	}
	m.files.stale = m.files.stale || !usable // who has lost this file may have lost others
	for _, c := range m.l.Active {
		if listed[c.Path] || m.l.Retained[c.Path] != "" {
			continue
		}
		m.files.stale = true // whoever took it off the list may have removed it
		if err := m.dropReplaced(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// keepOthers keeps listed, where the state file no longer tells, what others
// had listed when it last did. A number may have been used again since, for
// what nobody manages: only a receipt shows that it was not.
func (m *Manager) keepOthers(ctx context.Context) error {
	var same []retention.Checkpoint
	for _, c := range m.l.Others {
		is, told, err := m.isSave(ctx, c)
		if err != nil {
			return err
		}
		if told && is {
			same = append(same, c)
		}
	}
	m.l.Others = same
	return nil
}

// dropReplaced takes a checkpoint off the list if there is another of its
// number now that somebody else has saved: that is not ours to remove.
func (m *Manager) dropReplaced(ctx context.Context, c retention.Checkpoint) error {
	is, told, err := m.isSave(ctx, c)
	if told && !is {
		m.notOurs(c.Path)
	}
	return err
}

// isSave reports whether c is what lies at its path now, and not another of
// its number, as far as a receipt tells.
func (m *Manager) isSave(ctx context.Context, c retention.Checkpoint) (is, told bool, err error) {
	r, err := ReadReceipt(ctx, m.dir, c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, unlessIO(err)
	}
	// The state file has rounded the time.
	return r.Time.Sub(c.Time).Abs() <= time.Millisecond, true, nil
}

func (m *Manager) notOurs(path string) {
	m.o.Logger.Warn("a listed checkpoint was replaced and is not managed any more", "path", path)
	m.l.Forget(path)
}

// dropGone takes checkpoints off the list that somebody else has removed, as
// a survey shows: counted on, they would make retention remove those that are
// there. One that a sweep removed in part stays listed for the next.
func (m *Manager) dropGone() {
	m.l.Active = slices.DeleteFunc(slices.Clone(m.l.Active), func(c retention.Checkpoint) bool {
		s := m.files.sets[c.Path]
		gone := s == nil || s.Index == nil && len(s.Data) == 0
		if gone {
			m.o.Logger.Warn("a listed checkpoint is gone", "path", c.Path)
		}
		return gone
	})
}
