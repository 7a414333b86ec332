package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// RestoreLatestValid restores the newest checkpoint that is whole and not
// rejected, returns its path, and puts the damaged ones aside that it went back
// over, so that the next start does not meet them again: as Quarantine does,
// each after it was read a second time, and none unless another was restored.
// PassedOver tells of them and where they are.
//
// Only checkpoints of the manager's name are put aside. One that only failed to
// be read is not damaged: such an error ends the call. Where another process writes, or this one may not, broken ones are
// passed over and stay. With several workers all call it, and the leader puts
// aside what it finds damaged itself.
//
// It is RestoreOrInitialize with ManagerOptions.Fallback but for one thing:
// where there is no checkpoint at all it is fs.ErrNotExist. Where none is whole
// it is ErrNoneValid, and all stay where they are.
func (m *Manager) RestoreLatestValid(ctx context.Context) (path string, err error) {
	if err := m.Sync(ctx); err != nil {
		return "", err
	}
	r := &restoring{m: m, heal: true, crew: crew.New(m.c.o.Workers)}
	path, err = r.run(ctx)
	switch {
	case errors.Is(err, ErrNoneValid):
		return "", fmt.Errorf("%w\n\tall stay where they are: %w", err, ErrLastLeft)
	case err != nil:
		return "", err
	case path == "":
		return "", fmt.Errorf("restore: %w", noCheckpoint(m.dir))
	}
	m.ContinueFrom(path)
	if m.o.StepCounter != nil {
		step := m.o.StepCounter()
		m.stepped(&step)
	}
	if err := r.putAside(ctx, path); err != nil {
		return "", fmt.Errorf("the objects hold the values of %s: %w", path, err)
	}
	return path, nil
}

// again reads what seems damaged a second time, and restores it if it is not.
func (r *restoring) again(ctx context.Context, path string, err error) error {
	if !isDamage(err) {
		return err
	}
	if _, second := verifyAt(ctx, r.m.dir, path, true, slog.New(slog.DiscardHandler)); second != nil {
		if isDamage(second) {
			return err // as it was told first, by the restore
		}
		return second
	}
	r.m.o.Logger.Warn("a checkpoint that seemed damaged is whole when it is read again", "path", path, "err", err)
	return r.try(ctx, path)
}

// putAside lets the leader put aside what was passed over, now that another
// was restored.
func (r *restoring) putAside(ctx context.Context, valid string) error {
	var err error
	if r.crew == nil || r.crew.Leads() {
		err = r.m.putAside(ctx, valid, r.passed)
		r.m.passedOver(r.passed)
	}
	if r.crew != nil {
		_, err = crew.Round(ctx, r.crew, "put aside", struct{}{}, err)
	}
	return err
}

// putAside is about checkpoints of which none was changed since they were
// found damaged, or it would show when they are read once more.
func (m *Manager) putAside(ctx context.Context, valid string, passed []Broken) error {
	if m.exact() || !anyDamaged(passed) {
		return nil
	}
	end, err := m.calls.Turn(ctx)
	if err != nil {
		return err
	}
	defer end()
	if m.closing != nil {
		return errManagerClosed
	}
	if err = m.lockFirst(ctx); err == nil && !m.locked {
		err = fmt.Errorf("this storage has no locks: %w", errors.ErrUnsupported)
	}
	if err == nil {
		err = m.alone(ctx, func() error {
			defer m.show()
			return dirlock.InTurn(ctx, m.lock, func() error { return m.putAsideAlone(ctx, valid, passed) })
		})
	}
	if isReader(err) {
		m.o.Logger.Warn("broken checkpoints stay where they are", "err", err)
		return nil
	}
	return err
}

func anyDamaged(passed []Broken) bool {
	for _, b := range passed {
		if isDamage(b.Err) {
			return true
		}
	}
	return false
}

func (m *Manager) putAsideAlone(ctx context.Context, valid string, passed []Broken) error {
	if err := m.openForWriting(ctx); err != nil {
		return err
	}
	q := newQuarantine(m.out, &QuarantineOptions{Logger: m.o.Logger, Now: m.o.Now})
	q.unlist = func(ctx context.Context, path string) error { return m.unlist(ctx, path, valid) }
	for i, b := range passed {
		if _, mine := filename.NumberOf(m.l.Name, b.Path); !mine || !isDamage(b.Err) {
			continue
		}
		where, err := q.put(ctx, b.Path)
		switch {
		case errors.Is(err, ErrWhole):
			m.o.Logger.Warn("a checkpoint that was passed over is whole when it is read again, and stays", "path", b.Path)
		case errors.Is(err, errGone):
		case err != nil:
			return fmt.Errorf("quarantine %s: %w", b.Path, err)
		default:
			passed[i].Quarantined = where
			m.files.forget(b.Path)
		}
	}
	return nil
}

// unlist takes a checkpoint that is to leave out of the list, and out of the
// state file. The latest is then the one that was restored.
func (m *Manager) unlist(ctx context.Context, path, valid string) error {
	text, err := m.readState(ctx)
	if err != nil {
		return err
	}
	if !bytes.Equal(text, m.seen) {
		if err := m.refresh(ctx, text); err != nil {
			return err
		}
	}
	m.l.Forget(path)
	if m.l.Latest == path {
		m.l.Latest = valid
	}
	return m.record(ctx, m.l, storage.WriteFile)
}
