package checkpoint

import (
	"context"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
)

// maxSurvivors bounds how many a sweep looks at of those that stay: the newest
// in a list, and the best by some rules.
const maxSurvivors = 8

// askSurvivors looks at some of what stays, before others are removed for its
// sake: what was rejected since, or is gone, is not worth that. It leaves out
// what is known, and the checkpoint just saved.
func (m *Manager) askSurvivors(ctx context.Context, known map[string]bool) error {
	verdicts := retention.Judge(m.policy(), m.l.Active)
	newest, floors := maxSurvivors, maxSurvivors
	var gone []string
	for i := len(verdicts) - 2; i >= 0; i-- {
		c, left := &m.l.Active[i], &newest
		if verdicts[i].Floor && c.Pinned == "" { // a pinned one stays for its own sake
			left = &floors
		}
		if verdicts[i].Fate == retention.Remove || known[c.Path] || *left == 0 {
			continue
		}
		*left--
		known[c.Path] = true
		is, err := m.askSurvivor(ctx, c)
		if err != nil {
			return err
		}
		if !is {
			gone = append(gone, c.Path)
		}
	}
	for _, p := range gone {
		m.o.Logger.Warn("a listed checkpoint is gone", "path", p)
		m.l.Forget(p)
		m.files.stale = true // a part of it may be there
	}
	return nil
}

// askSurvivor brings what is known of c up to date, and reports whether it is
// there at all.
func (m *Manager) askSurvivor(ctx context.Context, c *retention.Checkpoint) (bool, error) {
	is, err := shelf.Exists(ctx, m.dir, tensorbundle.IndexName(c.Path))
	if err != nil || !is {
		return false, err
	}
	return true, m.askReceipt(ctx, c)
}

// damageOf returns why a restore of this manager's passed over a checkpoint
// that is damaged, "" for others. There is no mark of it in the directory: the
// next process may find it mended.
func (m *Manager) damageOf(path string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.damaged[path]
}

// passedOver notes what a restore has passed over, for PassedOver and for the
// next sweep.
func (m *Manager) passedOver(list []Broken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.passed = list
	m.damaged = make(map[string]string, len(list))
	for _, b := range list {
		m.marks = append(m.marks, b.Path)
		if isDamage(b.Err) {
			m.damaged[b.Path] = "passed over: " + b.Err.Error()
		}
	}
}
