package checkpoint

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/schedule"
)

// remember makes the history of saves from the receipts of those there are. A
// checkpoint without one, TensorFlow's, is a save of which only the time is
// known.
func (m *Manager) remember(ctx context.Context) error {
	if m.o.Every == nil {
		return nil
	}
	m.history = schedule.Since(schedule.Moment{Time: m.o.Now()})
	for _, c := range m.l.active {
		r, err := ReadReceipt(ctx, m.dir, c.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && unlessIO(err) != nil {
			return err
		}
		m.history = m.history.And(schedule.Moment{
			Step: valueOf(r.Step), Epoch: valueOf(r.Epoch), Time: c.Time, Metrics: r.Metrics,
		})
	}
	return nil
}

func valueOf(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// scheduled asks Every. A save that is not written yet counts as made; if it
// fails it was not, and is due again.
func (s *save) scheduled() bool {
	m := s.m
	s.moment = schedule.Moment{Step: valueOf(s.step), Epoch: valueOf(s.o.Epoch), Time: m.o.Now(), Metrics: s.o.Metrics}
	reason, due := m.o.Every.Due(m.saves(), s.moment)
	if due {
		m.o.Logger.Info("a save is due", "step", s.moment.Step, "reason", reason)
	}
	return due || s.o.Force
}

// saves returns the history of saves, those that are under way included.
func (m *Manager) saves() schedule.History {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.history
	for _, p := range m.pending {
		h = h.And(p.moment)
	}
	return h
}
