package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"time"

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
	for _, c := range m.l.Active {
		r, err := ReadReceipt(ctx, m.dir, c.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && unlessIO(err) != nil {
			return err
		}
		m.history = m.history.And(moment(m.history, r.Step, r.Epoch, c.Time, r.Metrics))
		m.costed(r.Duration)
	}
	return nil
}

// costed takes from a receipt what a save cost: the first of a process need not
// find it out again. How long an asynchronous one made its caller wait is in no
// receipt; as it was less than the writing, that alone sets the pace of the first.
func (m *Manager) costed(took time.Duration) {
	if took <= 0 { // TensorFlow's has none
		return
	}
	m.cost.Write = took
	if m.o.Async == nil {
		m.cost.Stall = took
	}
}

// moment is that of a save after those of h. What it is not told is as at the
// save before: a count of 0 would look like a training that begins anew.
func moment(h schedule.History, step, epoch *int64, at time.Time, metrics map[string]float64) schedule.Moment {
	m := schedule.Moment{Step: h.Last().Step, Epoch: h.Last().Epoch, Time: at, Metrics: metrics}
	if step != nil {
		m.Step = *step
	}
	if epoch != nil {
		m.Epoch = *epoch
	}
	return m
}

// scheduled asks Every. A save that is not written yet counts as made; if it
// fails it was not, and is due again.
func (s *save) scheduled() (bool, error) {
	m, before := s.m, s.m.saves()
	if err := s.tells(); err != nil && !s.o.Force {
		return false, err
	}
	s.moment = moment(before, s.step, s.o.Epoch, m.o.Now(), s.o.Metrics)
	reason, due := m.o.Every.Due(before.Costing(m.costs(s.moment.Time)), s.moment)
	if due {
		m.o.Logger.Info("a save is due", "step", s.moment.Step, "reason", reason)
	}
	return due || s.o.Force, nil
}

// tells returns an error unless the save tells what Every counts: it would
// never be due, and the training be without checkpoints, unnoticed.
func (s *save) tells() error {
	steps, epochs := schedule.Counts(s.m.o.Every)
	switch {
	case steps && s.step == nil:
		return errors.New("option Every counts steps, and nobody tells them: set StepCounter or SaveOptions.Step")
	case epochs && s.o.Epoch == nil:
		return errors.New("option Every counts epochs, and nobody tells them: set SaveOptions.Epoch")
	}
	return nil
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
