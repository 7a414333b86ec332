package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/storage"
)

// sweep removes what retention does not want any more, and records that. The
// save before it stands whatever it returns. What could not be removed stays
// in the list, also in the state file, and with that for the next sweep.
func (m *Manager) sweep(ctx context.Context) error {
	s := sorted(m.l.active, judge(m.policy(), m.l.active))
	err := errors.Join(m.preserve(ctx, s.preserve), m.remove(ctx, s.remove))
	write := storage.WriteFileSoon // names of what is gone do no harm, should they come back
	if len(s.preserve) > 0 {
		write = storage.WriteFile
	}
	if failed := m.record(ctx, m.l, write); failed != nil {
		err = errors.Join(err, failed)
	}
	if err != nil {
		m.o.Logger.Warn("surplus checkpoints stay until the next save", "err", err)
	}
	return err
}

// sweepAgain is for Close. If somebody else has written the state file since,
// it is not ours any more to write.
func (m *Manager) sweepAgain(ctx context.Context) error {
	text, err := m.readState(ctx)
	if err != nil {
		return err
	}
	if err := m.survey(ctx); err != nil {
		return err
	}
	if bytes.Equal(text, m.seen) {
		return m.sweep(ctx)
	}
	return m.remove(ctx, sorted(m.l.active, judge(m.policy(), m.l.active)).remove)
}

// preserve takes checkpoints off the list and leaves their files, with the
// reason in the receipt: there it outlives the manager.
func (m *Manager) preserve(ctx context.Context, list []judged) error {
	for _, c := range list {
		r, err := ReadReceipt(ctx, m.dir, c.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err != nil && unlessIO(err) == nil:
			// Not ours, or not to be understood: it gets one that says just this.
			r = Receipt{Schema: receiptSchema, Path: c.Path, Time: c.Time}
		case err != nil:
			return err
		}
		r.Kept = c.reason
		if err := writeReceipt(ctx, m.dir, c.Path, r); err != nil {
			return err
		}
		m.l.active = without(m.l.active, c.Path)
		m.files.forget(c.Path)
		m.l.lastPreserved = c.Time
		m.o.Logger.Info("preserved", "path", c.Path, "reason", c.reason)
	}
	return nil
}

// remove deletes checkpoints: all indexes, and when that is durable the other
// files. So there is never an index without its data.
func (m *Manager) remove(ctx context.Context, list []judged) error {
	var indexes, others []string
	for _, c := range list {
		for _, s := range []*fileSet{m.files.sets[c.Path], m.files.sets[recoveryOf(c.Path)]} {
			if s == nil {
				continue
			}
			if s.index != nil {
				indexes = append(indexes, s.index.Name)
			}
			others = append(others, s.others()...)
		}
	}
	if len(indexes)+len(others) > 0 {
		if err := storage.RemoveAll(ctx, m.dir, indexes, others); err != nil {
			return err
		}
	}
	for _, c := range list {
		m.l.active = without(m.l.active, c.Path)
		m.files.forget(c.Path)
		m.o.Logger.Info("removed", "path", c.Path, "reason", c.reason)
		m.removed(c)
	}
	return nil
}
