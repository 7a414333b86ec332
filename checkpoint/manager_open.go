package checkpoint

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/retention"
)

// open reads what there is.
func (m *Manager) open(ctx context.Context) error {
	text, err := m.readState(ctx)
	if err != nil {
		return err
	}
	return m.load(ctx, text)
}

// readState returns the text of the state file, nil if it is missing.
func (m *Manager) readState(ctx context.Context) ([]byte, error) {
	text, err := readBounded(ctx, m.dir, stateName, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// load makes the manager's list from a state file's text and the directory.
func (m *Manager) load(ctx context.Context, text []byte) error {
	sets, err := scan(ctx, m.dir, m.l.name+"-")
	if err != nil {
		return err
	}
	now := m.o.Now()
	m.seen = text
	s, usable := m.parse(text)
	if !usable {
		// One second of slack lets a checkpoint saved in this very moment be
		// newer (checkpoint_management.py).
		m.l = ledger{name: m.l.name, lastPreserved: now.Add(-time.Second)}
		return m.rebuild(ctx, sets, now, text != nil)
	}
	m.takeOver(s, sets, now)
	if err := m.findLatest(ctx, s, sets); err != nil {
		return err
	}
	if err := m.adopt(ctx, s, sets, now); err != nil {
		return err
	}
	return m.fillIn(ctx)
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

func (m *Manager) takeOver(s State, sets map[string]*fileSet, now time.Time) {
	refused, clockBack := m.l.takeOver(s, now, func(p string) bool { return sets[p] != nil })
	for _, entry := range refused {
		m.o.Logger.Warn("state file names a checkpoint outside of the directory, which is ignored", "path", entry)
	}
	if clockBack {
		m.o.Logger.Warn("clock went back behind the last preserved checkpoint; listed ones are not managed any more",
			"now", now, "last_preserved", s.preserved())
	}
}

// findLatest sets the latest checkpoint to the one that the state file names,
// or, if that is gone, to the newest complete one of the manager's name.
func (m *Manager) findLatest(ctx context.Context, s State, sets map[string]*fileSet) error {
	m.l.latest = ""
	if p, _, ok := localPath(s.ModelCheckpointPath); ok {
		if set := sets[p]; set != nil && set.index != nil {
			m.l.latest = p
			return nil
		}
		at, err := locatePath(ctx, m.dir, p)
		if err == nil {
			m.l.latest = at.path
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	m.l.latest = newestOf(sets, m.l.name)
	m.o.Logger.Warn("the latest checkpoint is gone, the newest complete one takes its place",
		"gone", s.ModelCheckpointPath, "path", m.l.latest)
	return nil
}

// newestOf returns the complete checkpoint of the highest number, or "".
func newestOf(sets map[string]*fileSet, name string) string {
	top, path := int64(-1), ""
	for p, s := range sets {
		if n, ok := numberOf(name, p); ok && n > top && s.complete() {
			top, path = n, p
		}
	}
	return path
}

// rebuild makes the list from the directory alone: it has those checkpoints
// of the manager's name that a manager has saved, by their receipts, and that
// were not preserved.
func (m *Manager) rebuild(ctx context.Context, sets map[string]*fileSet, now time.Time, broken bool) error {
	found, err := m.recognize(ctx, sets, -1, now)
	if err != nil {
		return err
	}
	m.l.active = found
	m.l.latest = newestOf(sets, m.l.name)
	if m.l.latest != "" && !broken {
		m.o.Logger.Warn("state file is missing, rebuilt from the directory", "path", m.l.latest)
	}
	for _, c := range found {
		// Else the next manager would take them for preserved.
		m.l.lastPreserved = earlier(m.l.lastPreserved, c.Time.Add(-time.Second))
	}
	return nil
}

// adopt adds checkpoints that are newer than the state file knows: their
// writer died between the index and the state file.
func (m *Manager) adopt(ctx context.Context, s State, sets map[string]*fileSet, now time.Time) error {
	listed := int64(-1)
	for _, entry := range append(slices.Clip(s.AllModelCheckpointPaths), s.ModelCheckpointPath) {
		if p, _, ok := localPath(entry); ok {
			if n, mine := numberOf(m.l.name, p); mine {
				listed = max(listed, n)
			}
		}
	}
	found, err := m.recognize(ctx, sets, listed, now)
	if err != nil {
		return err
	}
	for _, c := range found {
		m.o.Logger.Warn("found a checkpoint that the state file does not know yet", "path", c.Path)
		m.l.latest = c.Path
		if c.Time.After(m.l.lastPreserved) {
			m.l.active = put(m.l.active, c)
		}
	}
	return nil
}

// recognize returns the complete, verified checkpoints above a number that a
// manager of this name saved and did not preserve, oldest first.
func (m *Manager) recognize(ctx context.Context, sets map[string]*fileSet, above int64, now time.Time) ([]retention.Checkpoint, error) {
	var found []retention.Checkpoint
	for _, p := range slices.Sorted(maps.Keys(sets)) {
		n, ok := numberOf(m.l.name, p)
		if !ok || n <= above {
			continue
		}
		ok, err := describes(ctx, m.dir, sets[p])
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		r, err := ReadReceipt(ctx, m.dir, p)
		if err != nil {
			return nil, err
		}
		if r.Writer == WriterManager && r.Kept == "" {
			found = append(found, r.checkpoint(p, now))
		}
	}
	slices.SortStableFunc(found, func(a, b retention.Checkpoint) int {
		x, _ := numberOf(m.l.name, a.Path)
		y, _ := numberOf(m.l.name, b.Path)
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(x, y))
	})
	return found, nil
}

// checkpoint returns what retention policies see of a receipt.
func (r Receipt) checkpoint(p string, now time.Time) retention.Checkpoint {
	c := retention.Checkpoint{Path: p, Time: earlier(r.Time, now), Metrics: r.Metrics}
	if r.Step != nil {
		c.Step = *r.Step
	}
	return c
}

// fillIn reads steps and metrics, which the state file does not have, for a
// policy that may want them.
func (m *Manager) fillIn(ctx context.Context) error {
	if m.o.Retention == nil {
		return nil
	}
	for i, c := range m.l.active {
		r, err := ReadReceipt(ctx, m.dir, c.Path)
		if err != nil {
			if unlessIO(err) != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		filled := r.checkpoint(c.Path, c.Time)
		filled.Time = c.Time
		m.l.active[i] = filled
	}
	return nil
}

// openForWriting gets the directory ready for a save. The first time it takes
// the lock and ends what a writer that died has left.
func (m *Manager) openForWriting(ctx context.Context) error {
	if m.unlock == nil {
		unlock, err := lockDir(ctx, m.dir)
		if err != nil {
			return err
		}
		m.unlock = unlock
	}
	text, err := m.readState(ctx)
	if err != nil {
		return err
	}
	if m.writing {
		if !bytes.Equal(text, m.seen) {
			m.refresh(text)
		}
		return nil
	}
	// Without the lock others may have written since NewManager read.
	if !bytes.Equal(text, m.seen) {
		if err := m.load(ctx, text); err != nil {
			return err
		}
	}
	m.tidy(ctx)
	m.writing = true
	return nil
}

// refresh takes note of what somebody else has written to the state file: the
// manager's own list stands, and what else is managed there stays listed.
func (m *Manager) refresh(text []byte) {
	m.seen, m.l.others = text, nil
	s, usable := m.parse(text)
	if !usable {
		return
	}
	managed, _ := managedIn(s, m.o.Now(), s.preserved(), func(string) bool { return false })
	for _, c := range managed {
		if find(m.l.active, c.Path) < 0 {
			m.l.others = append(m.l.others, c)
		}
	}
}

// tidy ends overwrites that were interrupted, and removes files of
// checkpoints of ours that have no index: never committed, or half removed.
// What fails is left for the next time.
func (m *Manager) tidy(ctx context.Context) {
	sets, err := scan(ctx, m.dir, m.l.name+"-")
	for p, s := range sets {
		if _, mine := numberOf(m.l.name, p); !mine {
			continue
		}
		if rec := sets[recoveryOf(p)]; rec != nil {
			err = errors.Join(err, settle(ctx, m.dir, s, rec))
		} else if s.index == nil && s.receipt != nil {
			err = errors.Join(err, m.removeOrphan(ctx, s))
		}
	}
	if err != nil {
		m.o.Logger.Warn("leftovers of an earlier writer stay", "err", err)
	}
}

// removeOrphan removes what the receipt says to be ours, and only if the
// sizes say so too: data files without index may also be TensorFlow's, just
// being written.
func (m *Manager) removeOrphan(ctx context.Context, s *fileSet) error {
	r, err := ReadReceipt(ctx, m.dir, s.path)
	if err != nil {
		return unlessIO(err)
	}
	for _, d := range s.data {
		if f, ok := r.file(path.Base(d.Name)); !ok || f.Size != d.Size {
			return nil
		}
	}
	m.o.Logger.Warn("removed files of a checkpoint that was never complete", "path", s.path)
	return removeSet(ctx, m.dir, s)
}
