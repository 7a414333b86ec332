package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// Orphan is what is left of a checkpoint whose index is not there: its data
// files, with a receipt or parity of ours.
type Orphan struct {
	Path string
	Fate OrphanFate
	Why  string // what was seen that says so
}

// OrphanFate is what became of an orphan's index.
type OrphanFate int

// The fates. Only a leftover may be removed without asking anybody.
const (
	// OrphanUnclear: a save that was cut short leaves such files, and so does a
	// lost index; and nothing newer is whole.
	OrphanUnclear OrphanFate = iota
	// OrphanLeftover: a save or a removal was cut short. No rule wants it, or
	// nobody was ever told of it.
	OrphanLeftover
	// OrphanLost: the checkpoint was whole, and nothing of ours took its index.
	OrphanLost
)

// PinnedIndexLost is how the reason begins for which what has lost its index is
// pinned, by a manager or package doctor.
const PinnedIndexLost = "its index was lost"

// Orphans judges what dir holds of checkpoints without index, by path. A
// manager's tidying and package doctor go by it. Files that do not show that
// they are ours are left out: they may be TensorFlow's, just being written. So are
// those whose receipt or parity cannot be read this time.
//
// What tells a lost index from a save or a removal that was cut short:
//
//   - the state file names as the latest what was acknowledged, and nothing of
//     ours removes the latest
//   - the parity of the index is published after the index, and removed before
//     it: where it is, the index was
//   - nothing of ours removes what is pinned or preserved
//   - a number and a save counter above all that the state file tells of were
//     never acknowledged, as long as the checkpoint is whole that it names
//
// Of the others a removal by the rules may have left what is older than a whole
// checkpoint. Where none is whole, what was saved after another is a loss.
func Orphans(ctx context.Context, dir storage.Dir) ([]Orphan, error) {
	c, err := takeCensus(ctx, dir)
	if err != nil {
		return nil, err
	}
	c.lenient = true
	return c.orphans(ctx, filename.OfDirectory)
}

// census is a look at the checkpoints of a directory.
type census struct {
	dir     storage.Dir
	sets    shelf.Sets
	state   ledger.State
	latest  string          // what the state file names, "" if there is no usable one
	newest  map[string]born // by name: the newest whole checkpoint
	before  map[string]bool // what orphans were saved after
	lenient bool            // what cannot be read is left out
}

// born is how a checkpoint came to be, as its receipt tells.
type born struct {
	path          string // "" is none
	number, count int64  // count is -1 if nobody tells
	time          time.Time
	latest        bool // by the state file
}

func takeCensus(ctx context.Context, dir storage.Dir) (*census, error) {
	// A state file that cannot be read tells nothing, as a broken one.
	text, err := readBounded(ctx, dir, filename.State, maxState)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	sets, err := shelf.Scan(ctx, dir, "")
	return newCensus(dir, sets, text), err
}

func newCensus(dir storage.Dir, sets shelf.Sets, state []byte) *census {
	c := &census{dir: dir, sets: sets, newest: make(map[string]born)}
	if s, err := parseState(state); err == nil {
		c.state = ledger.State(s)
		c.latest, _, _ = filename.Local(s.ModelCheckpointPath)
	}
	return c
}

// orphans judges those that count.
func (c *census) orphans(ctx context.Context, counts func(path string) bool) ([]Orphan, error) {
	var list []Orphan
	for _, p := range slices.Sorted(maps.Keys(c.sets)) {
		if !c.isOrphan(p) || !counts(p) {
			continue
		}
		o, ours, err := c.judge(ctx, c.sets[p])
		if ended := ctx.Err(); err != nil && (!c.lenient || ended != nil) {
			return nil, err
		} else if err != nil {
			continue
		}
		if ours {
			list = append(list, o)
		}
	}
	return list, nil
}

// isOrphan reports whether there is data of p and no index. Neither is a
// recovery set one, nor what such a set can be settled with.
func (c *census) isOrphan(p string) bool {
	s, rec := c.sets[p], c.sets[filename.Recovery(p)]
	return s != nil && s.Index == nil && len(s.Data) > 0 &&
		!strings.HasSuffix(p, filename.RecoverySuffix) && (rec == nil || !rec.Complete())
}

// judge judges an orphan. ours is false if nothing shows that it is one of ours.
func (c *census) judge(ctx context.Context, s *shelf.Set) (o Orphan, ours bool, err error) {
	o.Path = s.Path
	r, err := ReadReceipt(ctx, c.dir, s.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && unlessIO(err) != nil {
		return o, false, err
	}
	if err != nil || r.Path != s.Path || !r.lists(s) {
		// Nobody but us writes parity. Whether it is of this data a repair shows.
		o.Fate, o.Why = OrphanLost, "parity of the index is there, which is written after it and removed before it"
		return o, hasIndexParity(s), nil
	}
	o.Fate, o.Why, err = c.fate(ctx, s, r)
	return o, true, err
}

func (c *census) fate(ctx context.Context, s *shelf.Set, r Receipt) (OrphanFate, string, error) {
	if s.Path == c.latest {
		return OrphanLost, "the state file names it as the latest", nil
	}
	if is, err := c.isProtected(ctx, s, r); is || err != nil {
		return OrphanLost, "parity of the index is there, which is written after it and removed before it", err
	}
	if strings.HasPrefix(r.Pinned, PinnedIndexLost) {
		return OrphanLost, "it is pinned: " + r.Pinned, nil
	}
	whole, err := c.newestWhole(ctx, s.Path)
	if err != nil {
		return OrphanUnclear, "", err
	}
	begun, err := c.onlyBegun(ctx, r)
	if err != nil {
		return OrphanUnclear, "", err
	}
	if whole.path == "" && isNumbered(s.Path) {
		return c.allThatIsLeft(ctx, r)
	}
	switch {
	case whole.path != "" && begun:
		return OrphanLeftover, "the state file does not know of it yet: a save ended half-way", nil
	case r.Pinned != "":
		return OrphanLost, "it is pinned: " + r.Pinned, nil
	case r.Kept != "":
		return OrphanLost, "it is kept: " + r.Kept, nil
	case whole.newerThan(r):
		return OrphanLeftover, "a removal or a save ended half-way: " + whole.path + " is newer, and whole", nil
	}
	return OrphanUnclear, "a save ended half-way, or the index was lost: nothing newer is whole", nil
}

// allThatIsLeft is about an orphan where no checkpoint of its name is whole. The
// first save of all may have been cut short; what came after another, or before
// one, tells that there was one.
func (c *census) allThatIsLeft(ctx context.Context, r Receipt) (OrphanFate, string, error) {
	if err := c.chain(ctx); err != nil {
		return OrphanUnclear, "", err
	}
	if r.After == nil || *r.After != "" || c.before[r.Path] {
		return OrphanLost, "no checkpoint of its name is whole, and there was one", nil
	}
	return OrphanUnclear, "the first save ended half-way, or its index was lost", nil
}

// chain finds out what orphans were saved after: that was acknowledged.
func (c *census) chain(ctx context.Context) error {
	if c.before != nil {
		return nil
	}
	before := make(map[string]bool)
	for p := range c.sets {
		if !c.isOrphan(p) {
			continue
		}
		r, _, err := readMarks(ctx, c.dir, p)
		if err != nil {
			return err
		}
		if r.After != nil {
			before[*r.After] = true
		}
	}
	c.before = before
	return nil
}

func isNumbered(p string) bool { _, _, is := filename.SplitNumber(p); return is }

// isProtected reports whether the parity of an orphan's index is there.
func (c *census) isProtected(ctx context.Context, s *shelf.Set, r Receipt) (bool, error) {
	if !hasIndexParity(s) {
		return false, nil
	}
	name := filename.OfParity(tensorbundle.IndexName(s.Path))
	i := slices.IndexFunc(r.Parity, func(f ReceiptFile) bool { return f.Name == path.Base(name) })
	if i < 0 {
		return false, nil // of another checkpoint that was there before
	}
	size, sum, err := fileSum(ctx, c.dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return size == r.Parity[i].Size && sum == r.Parity[i].CRC32C, err
}

func hasIndexParity(s *shelf.Set) bool {
	name := filename.OfParity(tensorbundle.IndexName(s.Path))
	return slices.ContainsFunc(s.Parity, func(p storage.Info) bool { return p.Name == name })
}

// lists reports whether the receipt tells of the data files that are there, by
// name and size.
func (r Receipt) lists(s *shelf.Set) bool {
	for _, d := range s.Data {
		if f, ok := r.file(path.Base(d.Name)); !ok || f.Size != d.Size {
			return false
		}
	}
	return true
}

// onlyBegun reports whether the save of a receipt was never acknowledged: its
// number and its count are above what the state file tells of, and every
// checkpoint that was acknowledged was once the latest there.
func (c *census) onlyBegun(ctx context.Context, r Receipt) (bool, error) {
	name, n, ok := filename.SplitNumber(r.Path)
	if !ok || c.latest == "" || n <= c.state.Highest(name) {
		return false, nil
	}
	above, err := madeAs(ctx, c.dir, c.latest)
	return above.count >= 0 && r.SaveCounter > above.count, err
}

// newestWhole returns the newest whole checkpoint of the same name as p, or of
// any name if that has no number: the one that the state file names, or else the
// one of the highest number.
func (c *census) newestWhole(ctx context.Context, p string) (born, error) {
	name, _, numbered := filename.SplitNumber(p)
	if !numbered {
		name = ""
	}
	if w, known := c.newest[name]; known {
		return w, nil
	}
	var w born
	for _, q := range c.candidates(name) {
		_, err := verifyAt(ctx, c.dir, q, false, slog.New(slog.DiscardHandler))
		if err == nil {
			if w, err = c.madeOf(ctx, q); err != nil {
				return born{}, err
			}
			break
		}
		known := isDamage(err) || errors.Is(err, ErrRejected) // that it is not whole
		if ctx.Err() != nil || !known && !c.lenient {
			return born{}, err
		}
	}
	c.newest[name] = w
	return w, nil
}

// candidates returns the complete checkpoints of a name, "" for all, the newest
// first.
func (c *census) candidates(name string) []string {
	var list []string
	for p, s := range c.sets {
		if _, ok := filename.NumberOf(name, p); (ok || name == "" && filename.OfDirectory(p)) && s.Complete() {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		if (a == c.latest) != (b == c.latest) {
			if a == c.latest {
				return -1
			}
			return 1
		}
		return cmp.Or(compareNumbers(b, a), cmp.Compare(b, a))
	})
	return list
}

func compareNumbers(a, b string) int {
	_, x, _ := filename.SplitNumber(a)
	_, y, _ := filename.SplitNumber(b)
	return cmp.Compare(x, y)
}

func (c *census) madeOf(ctx context.Context, p string) (born, error) {
	_, n, _ := filename.SplitNumber(p)
	w := born{path: p, number: n, count: -1, time: c.sets[p].ModTime(), latest: p == c.latest}
	r, damage, err := readMarks(ctx, c.dir, p)
	if err == nil && damage == nil && r.Schema != 0 {
		w.count, w.time = r.SaveCounter, r.Time
	}
	return w, err
}

// newerThan reports whether w was made after what a receipt is of. A whole latest
// is newer than all that was acknowledged and is not it. Else the numbers may be
// the caller's, and a counter may have begun anew: the time has to agree.
func (w born) newerThan(r Receipt) bool {
	_, n, numbered := filename.SplitNumber(r.Path)
	later := !w.time.Before(r.Time) && (!numbered || w.number > n || w.count > r.SaveCounter)
	return w.path != "" && (numbered && w.latest || later)
}

// lostInstead returns what lost its index and would be the newest instead of p,
// "" if nothing would. No p: there is no complete checkpoint.
func (c *census) lostInstead(ctx context.Context, p string) (string, error) {
	if name, _, numbered := filename.SplitNumber(p); numbered {
		lost, _, err := c.lostAbove(ctx, name)
		return lost, err
	}
	if p != "" {
		return "", nil
	}
	list, err := c.orphans(ctx, filename.OfDirectory)
	list = slices.DeleteFunc(list, func(o Orphan) bool { return o.Fate != OrphanLost })
	if err != nil || len(list) == 0 {
		return "", err
	}
	return slices.MaxFunc(list, func(a, b Orphan) int { return compareNumbers(a.Path, b.Path) }).Path, nil
}

// lostAbove returns the newest checkpoint of a name that has lost its index and
// that none which is whole takes the place of, "" if there is none; and those of
// which that is unclear.
func (c *census) lostAbove(ctx context.Context, name string) (lost string, unclear []string, err error) {
	mine := func(p string) bool { _, is := filename.NumberOf(name, p); return is }
	list, err := c.orphans(ctx, mine)
	if err != nil || len(list) == 0 {
		return "", nil, err
	}
	whole, err := c.newestWhole(ctx, filename.Numbered(name, 0))
	if err != nil {
		return "", nil, err
	}
	for _, o := range list {
		_, n, _ := filename.SplitNumber(o.Path)
		switch {
		case o.Fate == OrphanLeftover || whole.path != "" && (whole.latest || n < whole.number):
		case o.Fate == OrphanUnclear:
			unclear = append(unclear, o.Path)
		case lost == "" || compareNumbers(o.Path, lost) > 0:
			lost = o.Path
		}
	}
	return lost, unclear, nil
}
