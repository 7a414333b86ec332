package checkpoint

import (
	"bytes"
	"context"
	"errors"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// sweep removes what retention does not want any more, and records that. The
// save before it stands whatever it returns. What could not be removed stays
// in the list, also in the state file, and with that for the next sweep.
func (m *Manager) sweep(ctx context.Context) error {
	preserved := m.l.LastPreserved
	err := m.settleList(ctx)
	write := storage.WriteFileSoon // names of what is gone do no harm, should they come back
	if !m.l.LastPreserved.Equal(preserved) {
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

// settleList does what retention says about the list. What it says without a
// look at the directory shows whether there is anything to do; then nobody may
// pin or lease anything until it is done.
func (m *Manager) settleList(ctx context.Context) error {
	if m.exact() {
		return m.settle(ctx, m.out, m.judge())
	}
	m.recall(ctx)
	first := m.judge()
	if first.Failed != "" {
		m.o.Logger.Error("retention does not work", "err", first.Failed)
	}
	if first.Empty() {
		return nil
	}
	return dirlock.BetweenSweeps(ctx, m.out, dirlock.SweepPatience, func(dir storage.Dir) error {
		s, err := m.judgeAsking(ctx, m.judge)
		if err != nil {
			return err
		}
		return m.settle(ctx, dir, s)
	})
}

func (m *Manager) settle(ctx context.Context, dir storage.Dir, s ledger.Sweep) error {
	return errors.Join(m.preserve(ctx, dir, s.Preserve), m.retain(ctx, dir, s.Retain), m.remove(ctx, dir, s.Remove))
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
	return dirlock.BetweenSweeps(ctx, m.out, dirlock.SweepPatience, func(dir storage.Dir) error {
		s, err := m.judgeAsking(ctx, m.judge)
		if err != nil {
			return err
		}
		return m.remove(ctx, dir, s.Remove)
	})
}

// preserve takes checkpoints off the list and leaves their files, with the
// reason in the receipt: there it outlives the manager.
func (m *Manager) preserve(ctx context.Context, dir storage.Dir, list []ledger.Judged) error {
	for _, c := range list {
		if err := m.amend(ctx, dir, c, WriteReceipt, func(r *Receipt) { r.Kept, r.Retained = c.Reason, "" }); err != nil {
			return err
		}
		m.l.Forget(c.Path)
		m.files.forget(c.Path)
		m.l.LastPreserved = c.Time
		m.o.Logger.Info("preserved", "path", c.Path, "reason", c.Reason)
	}
	if !m.exact() {
		m.l.WatchClock(m.o.KeepCheckpointEvery)
	}
	return nil
}

// retain leaves checkpoints out of the state file, with the reason in the
// receipt for people to read. It is only for them: after a loss of power the
// next manager finds the checkpoint, and a reason, again.
func (m *Manager) retain(ctx context.Context, dir storage.Dir, list []ledger.Judged) error {
	for _, c := range list {
		if err := m.amend(ctx, dir, c, writeReceiptSoon, func(r *Receipt) { r.Retained = c.Reason }); err != nil {
			return err
		}
		if c.Reason == "" {
			m.l.Relist(c.Path)
		} else {
			m.l.Unlist(c.Path, c.Reason)
		}
		m.o.Logger.Info("retained", "path", c.Path, "reason", c.Reason)
	}
	return nil
}

// amend changes a receipt. What has none gets one that says just that. A
// damaged one stays as it is, for people to mend: by no new manager is its
// checkpoint taken for one of ours, and so it stays, too.
func (m *Manager) amend(ctx context.Context, dir storage.Dir, c ledger.Judged,
	write func(context.Context, storage.Dir, string, Receipt) error, change func(*Receipt)) error {
	r, damage, err := readMarks(ctx, m.dir, c.Path)
	if err != nil || damage != nil {
		return err
	}
	if r.Schema == 0 {
		r = Receipt{Schema: receiptSchema, Path: c.Path, Time: c.Time}
	}
	kept, retained := r.Kept, r.Retained
	if change(&r); r.Kept == kept && r.Retained == retained {
		return nil
	}
	return write(ctx, dir, c.Path, r)
}

// remove deletes checkpoints: all indexes, and when that is durable the other
// files. So there is never an index without its data.
func (m *Manager) remove(ctx context.Context, dir storage.Dir, list []ledger.Judged) error {
	var indexes, others []string
	for _, c := range list {
		for _, s := range []*shelf.Set{m.files.sets[c.Path], m.files.sets[filename.Recovery(c.Path)]} {
			if s == nil {
				continue
			}
			if s.Index != nil {
				indexes = append(indexes, s.Index.Name)
			}
			others = append(others, s.Others()...)
		}
	}
	if len(indexes)+len(others) > 0 {
		if err := storage.RemoveAll(ctx, dir, shelf.InWaves(indexes, others)...); err != nil {
			return err
		}
	}
	for _, c := range list {
		m.l.Forget(c.Path)
		m.files.forget(c.Path)
		m.o.Logger.Info("removed", "path", c.Path, "reason", c.Reason)
		m.removed(c)
	}
	return nil
}
