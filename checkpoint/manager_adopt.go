package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// rebuild makes the list from the directory alone: it has those checkpoints
// of the manager's name that a manager has saved, by their receipts, and that
// were not preserved.
func (m *Manager) rebuild(ctx context.Context, sets shelf.Sets, now time.Time, broken bool) error {
	found, err := m.recognize(ctx, sets, origin{number: -1, count: -1}, now)
	if err != nil {
		return err
	}
	m.l.Active = found
	if m.l.Latest, err = m.newestOrLost(ctx, sets); err != nil {
		return err
	}
	if m.l.Latest != "" && !broken {
		m.o.Logger.Warn("state file is missing, rebuilt from the directory", "path", m.l.Latest)
	}
	for _, c := range found {
		// Else the next manager would take them for preserved.
		m.l.LastPreserved = ledger.Earlier(m.l.LastPreserved, c.Time.Add(-time.Second))
	}
	return nil
}

// adopt adds checkpoints that are newer than the state file knows: their
// writer died between the index and the state file.
func (m *Manager) adopt(ctx context.Context, s State, sets shelf.Sets, now time.Time) error {
	listed := ledger.State(s).Highest(m.l.Name)
	if sets.Highest(m.l.Name) <= listed {
		return nil
	}
	above, err := madeAs(ctx, m.dir, m.l.Latest)
	if err != nil {
		return err
	}
	above.number = listed
	found, err := m.recognize(ctx, sets, above, now)
	if err != nil {
		return err
	}
	for _, c := range found {
		m.o.Logger.Warn("found a checkpoint that the state file does not know yet", "path", c.Path)
		m.l.Latest = c.Path
		m.l.Active = append(m.l.Active, c)
	}
	m.l.WatchClock(m.o.KeepCheckpointEvery)
	return nil
}

// adoptHalf returns the list with those checkpoints of failed saves that are
// complete after all.
func (m *Manager) adoptHalf(ctx context.Context) (ledger.Ledger, error) {
	l := m.l
	// Most saves that fail leave nothing; where all fail they are many.
	m.half = slices.DeleteFunc(m.half, func(c retention.Checkpoint) bool { return m.files.sets[c.Path] == nil })
	for _, c := range m.half {
		if ledger.Find(l.Active, c.Path) >= 0 {
			continue
		}
		ok, err := m.wrote(ctx, c)
		if err != nil {
			return ledger.Ledger{}, err
		}
		if ok {
			l.Active = append(slices.Clip(l.Active), c)
		}
	}
	return l, nil
}

// wrote reports whether what is there of a checkpoint is what the failed save
// wrote, by its time, and not what that was to replace.
func (m *Manager) wrote(ctx context.Context, c retention.Checkpoint) (bool, error) {
	ok, err := describes(ctx, m.dir, m.files.sets[c.Path])
	if err != nil || !ok {
		return false, err
	}
	r, err := ReadReceipt(ctx, m.dir, c.Path)
	return err == nil && r.Time.Equal(c.Time), err
}

// origin is the place of a checkpoint in the order of their making.
type origin struct {
	number, count int64 // its own, and the save counter's; -1: not known
	token         int64 // of its writer's lease
}

// madeAs returns what a receipt tells, or a count of -1 if there is none.
func madeAs(ctx context.Context, dir storage.Dir, path string) (origin, error) {
	if path == "" {
		return origin{count: -1}, nil
	}
	r, err := ReadReceipt(ctx, dir, path)
	if errors.Is(err, fs.ErrNotExist) || err != nil && unlessIO(err) == nil {
		return origin{count: -1}, nil
	}
	return origin{count: r.SaveCounter, token: r.Token}, err
}

// recognize returns the complete, verified checkpoints above a number and a
// save counter that a manager of this name saved and did not preserve, oldest
// first. Where the caller chose the numbers, a higher one is not newer; then
// save counters tell, but only among those above one: a counter may have begun
// anew. The clock comes last, since somebody may have set it. What a writer
// published after another had taken its lease is not newer than the other's.
func (m *Manager) recognize(ctx context.Context, sets shelf.Sets, above origin, now time.Time) ([]retention.Checkpoint, error) {
	var found []retention.Checkpoint
	counts, counted := make(map[string]int64), true // all numbers are the counter's
	for _, p := range slices.Sorted(maps.Keys(sets)) {
		n, ok := filename.NumberOf(m.l.Name, p)
		if !ok || n <= above.number {
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
		if m.newer(r, p, above) {
			found = append(found, r.checkpoint(p, now))
			counts[p], counted = r.SaveCounter, counted && r.SaveCounter == n
		}
	}
	slices.SortStableFunc(found, func(a, b retention.Checkpoint) int {
		x, _ := filename.NumberOf(m.l.Name, a.Path)
		y, _ := filename.NumberOf(m.l.Name, b.Path)
		if counted || above.count >= 0 {
			return cmp.Or(cmp.Compare(counts[a.Path], counts[b.Path]), a.Time.Compare(b.Time), cmp.Compare(x, y))
		}
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(x, y))
	})
	return found, nil
}

// newer reports whether the checkpoint p, by its receipt, is a manager's and
// made after above.
func (m *Manager) newer(r Receipt, p string, above origin) bool {
	if r.Writer != WriterManager || r.Kept != "" {
		return false
	}
	if r.Token > 0 && r.Token < above.token {
		m.o.Logger.Warn("a writer that had lost its lease has published a checkpoint, which is not listed",
			"path", p, "token", r.Token, "newer", above.token)
		return false
	}
	return r.SaveCounter > above.count || above.token > 0 && r.Token > above.token
}
