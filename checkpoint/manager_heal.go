package checkpoint

import (
	"bytes"
	"cmp"
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
// rejected, or that its parity can mend, and returns its path. It puts the
// damaged ones aside that it went back over, so that the next start does not
// meet them again: as Quarantine does, each after it was read a second time,
// and none unless another was restored. PassedOver tells of them and where they
// are, and of one that was mended; so does the Logger.
//
// Only checkpoints of the manager's name are mended or put aside. One that only
// failed to be read is not damaged: such an error ends the call, unless parity
// makes good what a disk cannot read. Where another process writes, this one may
// not, or the disk is full, broken ones are passed over and stay; then 'ckpt
// doctor DIR --deep --fix' mends what can be mended. With several workers all
// call it, and the leader mends and puts aside what it finds damaged itself.
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

// mended lets the leader mend what all have found damaged, or one of them, and
// restores it then. A sector that cannot be read ends the rounds of several
// workers, and there it stays an error.
func (r *restoring) mended(ctx context.Context, path string, err error) error {
	if !r.passes(err) && (r.crew != nil || !isBad(err)) {
		return err
	}
	var list []Mended
	var failed error
	if r.crew == nil || r.crew.Leads() {
		list, failed = r.mend(ctx, path, err)
	}
	if r.crew != nil {
		var all [][]Mended
		if all, failed = crew.Round(ctx, r.crew, "mended", list, failed); failed == nil {
			list = all[0]
		}
	}
	if failed != nil || len(list) == 0 {
		return cmp.Or(failed, err)
	}
	again := r.agree(ctx, path, r.try(ctx, path))
	if again == nil {
		r.passed = append(r.passed, Broken{Path: path, Err: err, Mended: list})
	}
	return again
}

// mend is about a checkpoint of the manager's name. Where it cannot write,
// nothing is put aside either: what could be mended may be the newest.
func (r *restoring) mend(ctx context.Context, path string, why error) (list []Mended, err error) {
	m := r.m
	_, mine := filename.NumberOf(m.o.CheckpointName, path)
	if !mine || r.stay || !isBad(why) || m.exact() || !hasParity(ctx, m.dir, path) {
		return nil, nil
	}
	err = m.asWriter(ctx, func() (err error) {
		list, err = mendNow(ctx, m.out, path, why, m.o.Logger)
		return err
	})
	if isReader(err) {
		m.o.Logger.Warn("broken checkpoints stay where they are", "path", path, "err", err)
		r.stay, err = true, nil
	}
	return list, err
}

// putAside lets the leader put aside what was passed over, now that another
// was restored.
func (r *restoring) putAside(ctx context.Context, valid string) error {
	var err error
	if r.crew == nil || r.crew.Leads() {
		if !r.stay {
			err = r.m.putAside(ctx, valid, r.passed)
		}
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
	err := m.asWriter(ctx, func() error {
		defer m.show()
		return m.putAsideAlone(ctx, valid, passed)
	})
	if isReader(err) {
		m.o.Logger.Warn("broken checkpoints stay where they are", "err", err)
		return nil
	}
	return err
}

// asWriter runs do with the writers' lock, which it takes if need be, between
// saves.
func (m *Manager) asWriter(ctx context.Context, do func() error) error {
	end, err := m.calls.Turn(ctx)
	if err != nil {
		return err
	}
	defer end()
	if m.closing != nil {
		return errManagerClosed
	}
	if err := m.lockFirst(ctx); err != nil {
		return err
	}
	if !m.locked {
		return fmt.Errorf("this storage has no locks: %w", errors.ErrUnsupported)
	}
	return m.alone(ctx, func() error { return dirlock.InTurn(ctx, m.lock, do) })
}

func (m *Manager) putAsideAlone(ctx context.Context, valid string, passed []Broken) error {
	if err := m.openForWriting(ctx); err != nil {
		return err
	}
	if _, mine := filename.NumberOf(m.l.Name, valid); !mine {
		return nil
	}
	// Others may have written since it was restored.
	switch _, err := verifyAt(ctx, m.dir, valid, true, slog.New(slog.DiscardHandler)); {
	case isDamage(err):
		m.o.Logger.Warn("broken checkpoints stay where they are: what was restored is not whole any more", "path", valid, "err", err)
		return nil
	case err != nil:
		return err
	}
	q := newQuarantine(m.out, &QuarantineOptions{Logger: m.o.Logger, Now: m.o.Now})
	q.unlist = func(ctx context.Context, _ storage.Dir, path string) error { return m.unlist(ctx, path, valid) }
	err := q.passed(ctx, valid, passed)
	for _, b := range passed {
		if b.Quarantined != "" {
			m.files.forget(b.Path)
		}
	}
	return err
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
