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
)

// What a manager knows about the checkpoints that it judges, and from where.
// A save costs the same however many there are: looked at again are only who
// is about to be removed and, then, a few of those that stay instead; and of
// those that are known to be marked one at a time.

// checkpoint returns what retention policies see of a receipt.
func (r Receipt) checkpoint(p string, now time.Time) retention.Checkpoint {
	c := retention.Checkpoint{Path: p, Time: ledger.Earlier(r.Time, now), Step: copyOf(r.Step), Epoch: copyOf(r.Epoch),
		Metrics: maps.Clone(r.Metrics), Tags: slices.Clone(r.Tags), Pinned: r.Pinned, Rejected: r.Rejected}
	c.Size, c.Shared = r.size(), r.Shared()
	return c
}

// judge is what retention says of the list.
func (m *Manager) judge() ledger.Sweep { return m.l.Judge(m.policy()) }

// judgeAsking judges, and asks the directory about whatever is to be removed:
// whether somebody has pinned or tagged it, or holds a lease on it. About what
// stays instead it asks, too: whether that is there, and not rejected.
func (m *Manager) judgeAsking(ctx context.Context, judge func() ledger.Sweep) (ledger.Sweep, error) {
	m.l.Active = slices.Clone(m.l.Active)
	for i := range m.l.Active {
		m.l.Active[i].Leased = ""
	}
	asked, known := make(map[string]bool), make(map[string]bool)
	for {
		s := judge()
		victims := slices.DeleteFunc(slices.Clone(s.Remove), func(c ledger.Judged) bool { return asked[c.Path] })
		if len(victims) == 0 {
			return s, nil
		}
		for _, c := range victims {
			asked[c.Path], known[c.Path] = true, true
		}
		if err := m.ask(ctx, victims); err != nil {
			return ledger.Sweep{}, err
		}
		if err := m.askSurvivors(ctx, known); err != nil {
			return ledger.Sweep{}, err
		}
	}
}

// ask brings what is known of some checkpoints up to date.
func (m *Manager) ask(ctx context.Context, victims []ledger.Judged) error {
	isVictim := func(p string) bool {
		return slices.ContainsFunc(victims, func(c ledger.Judged) bool { return c.Path == p })
	}
	held, err := holders(ctx, m.dir, placeTime(ctx, m.out, m.timeUnknown), isVictim)
	if err != nil {
		return err
	}
	for i := range m.l.Active {
		c := &m.l.Active[i]
		if !isVictim(c.Path) {
			continue
		}
		c.Leased = held[c.Path]
		if err := m.askReceipt(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// timeUnknown tells why leases count as held that may have run out.
func (m *Manager) timeUnknown(err error) {
	m.o.Logger.Warn("leases count as held because the time there is not known", "err", err)
}

// askReceipt reads what others write into a receipt.
func (m *Manager) askReceipt(ctx context.Context, c *retention.Checkpoint) error {
	r, damage, err := readMarks(ctx, m.dir, c.Path)
	if err != nil {
		return err
	}
	mark := m.damageOf(c.Path)
	switch {
	case damage != nil:
		m.o.Logger.Warn("a checkpoint stays because its receipt is damaged", "path", c.Path, "err", damage)
		c.Pinned = cmp.Or(c.Pinned, maybePinned)
	case r.Schema != 0:
		c.Pinned, c.Tags, mark = r.Pinned, r.Tags, cmp.Or(r.Rejected, mark)
	case c.Pinned == maybePinned: // there is none any more
		c.Pinned = ""
	}
	c.Rejected = mark
	return nil
}

// recall looks at one of those that are known to be pinned, tagged or rejected:
// that may be over. They have their turns, a save each. What this manager's own methods
// have changed it looks at in any case.
func (m *Manager) recall(ctx context.Context) {
	m.mu.Lock()
	marks := m.marks
	m.marks = nil
	m.mu.Unlock()
	var held []string
	for _, c := range m.l.Active {
		if c.Pinned != "" || len(c.Tags) > 0 || c.Rejected != "" {
			held = append(held, c.Path)
		}
	}
	if len(held) > 0 {
		marks = append(marks, held[m.recalled%len(held)])
		m.recalled++
	}
	if len(marks) == 0 {
		return
	}
	m.l.Active = slices.Clone(m.l.Active)
	for i := range m.l.Active {
		if c := &m.l.Active[i]; slices.Contains(marks, c.Path) {
			if err := m.askReceipt(ctx, c); err != nil {
				m.o.Logger.Warn("receipt cannot be read", "path", c.Path, "err", err)
			}
		}
	}
}

// findRetained finds, for a policy, what the state file does not tell: steps,
// metrics and sizes, and those checkpoints of the manager's name that a
// manager wrote and does not list, because another rule than Latest keeps
// them. Without a policy a manager judges its list, as TensorFlow's does, and
// nothing else: who forgets an option loses nothing.
//
// Times are those of the receipts also where they are in the future: that the
// clock was set back is what the rules must see.
func (m *Manager) findRetained(ctx context.Context) error {
	if m.o.Retention == nil {
		return nil
	}
	l := &finder{m: m, counts: make(map[string]int64), sharing: newSharing()}
	if err := l.fillIn(ctx); err != nil {
		return err
	}
	if err := l.unlisted(ctx); err != nil {
		return err
	}
	m.l.Active = ledger.Join(l.found, m.l.Active, l.counts)
	return nil
}

// finder is one call of findRetained.
type finder struct {
	m      *Manager
	counts map[string]int64 // save counters, by path
	found  []retention.Checkpoint
	*sharing
}

// fillIn reads the receipts of what is listed, of the newest first: what this
// manager links it is to know by the name that the next receipt will tell. What
// a sweep that was cut short has left without its index is nobody's best any more.
func (f *finder) fillIn(ctx context.Context) error {
	list := f.m.l.Active
	for i, c := range slices.Backward(list) {
		if s := f.m.files.sets[c.Path]; s != nil && s.Index == nil {
			f.counts[c.Path] = ledger.Gone
			continue
		}
		r, err := receiptInForce(ctx, f.m.dir, f.m.files.sets, c.Path)
		if err == nil {
			list[i] = r.checkpoint(c.Path, r.Time)
			if list[i].Verified = c.Verified; r.Time.IsZero() { // somebody has marked one of TensorFlow's
				list[i].Time = c.Time
			}
			f.counts[c.Path] = r.SaveCounter
			if savedAgain(c, r.Time) { // by TensorFlow, which leaves the receipt
				list[i] = retention.Checkpoint{Path: c.Path, Time: c.Time, Pinned: r.Pinned, Tags: r.Tags}
				delete(f.counts, c.Path)
				r = Receipt{}
			}
		} else if unlessIO(err) != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Whatever a receipt says, this is what there is.
		if s := f.m.files.sets[c.Path]; s != nil && s.Size() > 0 {
			list[i].Size, list[i].Shared = sizeAsReceipts(s), f.files(s, r)
		}
	}
	return nil
}

// sizeAsReceipts returns the size that a receipt tells: its own is not in it.
func sizeAsReceipts(s *shelf.Set) int64 {
	if s.Receipt == nil {
		return s.Size()
	}
	return s.Size() - s.Receipt.Size
}

// savedAgain reports whether a state file's entry is of a later save than
// the one at t. State files round times.
func savedAgain(entry retention.Checkpoint, t time.Time) bool {
	return !t.IsZero() && entry.Time.Sub(t) > time.Millisecond
}

// unlisted finds the others, by their receipts.
func (f *finder) unlisted(ctx context.Context) error {
	m := f.m
	m.l.Retained = nil
	for p, s := range m.files.sets {
		if _, mine := filename.NumberOf(m.l.Name, p); !mine || ledger.Find(m.l.Active, p) >= 0 {
			continue
		}
		ok, err := describes(ctx, m.dir, s)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		r, err := ReadReceipt(ctx, m.dir, p)
		if err != nil {
			return err
		}
		if r.Writer == WriterManager && r.Kept == "" {
			c := r.checkpoint(p, r.Time)
			c.Verified, c.Shared = true, f.files(s, r)
			f.found, f.counts[p] = append(f.found, c), r.SaveCounter
			m.l.Unlist(p, r.Retained) // the next sweep tells the reason anew if it is another
		}
	}
	return nil
}
