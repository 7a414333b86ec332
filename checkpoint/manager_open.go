package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
)

// open reads what there is.
func (m *Manager) open(ctx context.Context) error {
	text, err := m.readState(ctx)
	if err != nil {
		return err
	}
	if m.exact() {
		return m.loadExactly(text)
	}
	if err := m.survey(ctx); err != nil {
		return err
	}
	return m.load(ctx, text)
}

// readState returns the text of the state file, nil if it is missing.
func (m *Manager) readState(ctx context.Context) ([]byte, error) {
	text, err := readBounded(ctx, m.dir, filename.State, maxState)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && unlessIO(err) == nil:
		return []byte(err.Error()), nil // which parses as little as what is there
	}
	return text, err
}

// load makes the manager's list from a state file's text and what the
// directory was found to hold.
func (m *Manager) load(ctx context.Context, text []byte) error {
	sets, now := m.files.sets, m.o.Now()
	m.seen, m.gone = text, ""
	s, usable := m.parse(text)
	if !usable {
		// One second of slack lets a checkpoint saved in this very moment be
		// newer (checkpoint_management.py).
		m.l = ledger.Ledger{Name: m.l.Name, LastPreserved: now.Add(-time.Second)}
		return m.rebuild(ctx, sets, now, text != nil)
	}
	m.takeOver(s, sets, now)
	m.dropGone()
	if err := m.findLatest(ctx, s, sets); err != nil {
		return err
	}
	if err := m.adopt(ctx, s, sets, now); err != nil {
		return err
	}
	return m.findRetained(ctx)
}

// parse reads a state file's text. A broken one is told and then as good as
// none.
func (m *Manager) parse(text []byte) (State, bool) {
	if text == nil {
		return State{}, false
	}
	s, err := parseState(text)
	if err == nil {
		if n := len(s.AllModelCheckpointTimestamps); n == 0 || n == len(s.AllModelCheckpointPaths) {
			return s, true
		}
		err = s.check(s.AllModelCheckpointPaths)
	}
	m.o.Logger.Warn("state file is broken, rebuilt from the directory", "err", err)
	return State{}, false
}

func (m *Manager) takeOver(s State, sets shelf.Sets, now time.Time) {
	refused, clockBack := m.l.TakeOver(ledger.State(s), now, func(p string) bool { return sets[p] != nil })
	for _, entry := range refused {
		m.o.Logger.Warn("state file names a checkpoint outside of the directory, which is ignored", "path", entry)
	}
	if clockBack {
		m.o.Logger.Warn("clock went back behind the last preserved checkpoint; listed ones are not managed any more",
			"now", now, "last_preserved", ledger.State(s).Preserved())
	}
}

// findLatest sets the latest checkpoint to the one that the state file names,
// or, if that is gone, to the newest one of the manager's name. What has data
// files is not gone: that its index is lost, who restores it is told.
func (m *Manager) findLatest(ctx context.Context, s State, sets shelf.Sets) error {
	m.l.Latest = ""
	if p, _, ok := filename.Local(s.ModelCheckpointPath); ok {
		if set := sets[p]; set != nil && set.Index != nil {
			m.l.Latest = p
			return nil
		}
		at, err := locatePath(ctx, m.dir, p)
		if err == nil {
			m.l.Latest = at.Path
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if is, err := hasData(ctx, m.dir, p); err != nil || is {
			m.l.Latest = p
			return err
		}
	}
	latest, err := m.newestOrLost(ctx, sets)
	if err != nil {
		return err
	}
	if m.l.Latest = latest; latest == "" {
		m.gone = s.ModelCheckpointPath
	}
	m.o.Logger.Warn("the latest checkpoint is gone, the newest complete one takes its place",
		"gone", s.ModelCheckpointPath, "path", m.l.Latest)
	return nil
}

// newestOrLost returns the newest checkpoint that is complete or is known to have
// lost its index alone.
func (m *Manager) newestOrLost(ctx context.Context, sets shelf.Sets) (string, error) {
	lost, unclear, err := newCensus(m.dir, sets, m.seen).lostAbove(ctx, m.l.Name)
	if err != nil || lost != "" {
		return lost, err
	}
	latest, err := m.newest(ctx, sets)
	if err == nil && len(unclear) > 0 {
		m.o.Logger.Warn(m.advised("data of checkpoints without index is newer than all that are whole: a save ended half-way, or the index was lost"),
			"paths", unclear, "latest", latest)
	}
	return latest, err
}

// newest returns the newest complete checkpoint of the manager's name or, if
// it has none, of another name with a number: a state file names the latest of
// any name, and to begin from nothing because that file was lost is worse than
// an error that the objects are others. "" is none.
func (m *Manager) newest(ctx context.Context, sets shelf.Sets) (string, error) {
	if p := sets.NewestOf(m.l.Name); p != "" {
		return p, nil
	}
	return shelf.Newest(ctx, m.dir, func(p string) bool {
		_, _, ok := filename.SplitNumber(p)
		return ok && filename.OfDirectory(p)
	})
}

// lockFirst keeps other processes out from the first save on.
func (m *Manager) lockFirst(ctx context.Context) error {
	if m.lock != nil {
		return nil
	}
	lock, locked, err := dirlock.Lock(ctx, m.dir)
	if err != nil {
		return err
	}
	m.lock, m.locked, m.out = lock, locked, dirlock.Guarded(lock, m.dir)
	dirlock.Tell(lock, func(err error) {
		m.o.Logger.Warn("the lease on the directory is not renewed: another process may take it over", "err", err)
	})
	return nil
}

// openForWriting gets the directory ready for a save. The first time it ends
// what a writer that died has left.
func (m *Manager) openForWriting(ctx context.Context) error {
	if m.exact() {
		return m.surveyExactly(ctx)
	}
	text, err := m.readState(ctx)
	if err != nil {
		return err
	}
	changed := !bytes.Equal(text, m.seen)
	if m.writing && changed {
		if err := m.refresh(ctx, text); err != nil {
			return err
		}
	}
	if m.writing && !m.files.stale {
		return nil
	}
	if err := m.surveyAndTidy(ctx, text); err != nil {
		return err
	}
	// Without the lock others may have written since NewManager read.
	if !m.writing && changed {
		if err := m.load(ctx, text); err != nil {
			return err
		}
	}
	m.dropGone()
	m.writing = true
	if err := tidyLeases(ctx, m.out, placeTime(ctx, m.out, m.timeUnknown)); err != nil {
		m.o.Logger.Warn("leases of readers that died stay", "err", err)
	}
	return nil
}
