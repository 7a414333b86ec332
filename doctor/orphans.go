package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// checkOrphans looks at files of checkpoints that have no index.
func (x *examiner) checkOrphans(ctx context.Context) error {
	for _, p := range slices.Sorted(maps.Keys(x.sets)) {
		s := x.sets[p]
		if s.Index != nil || !filename.OfDirectory(p) {
			continue
		}
		if err := x.checkOrphan(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (x *examiner) checkOrphan(ctx context.Context, s *shelf.Set) error {
	switch {
	case len(s.Data) == 0 && (x.isValid(s.Path) || x.bad[s.Path]):
		// The receipt of a checkpoint of TensorFlow 1 that somebody marked.
	case len(s.Data) == 0 && s.Receipt == nil:
		x.orphanedParity(s)
	case len(s.Data) == 0:
		x.orphanedReceipt(s)
	case s.Receipt == nil:
		x.orphanedData(s)
	default:
		return x.withoutIndex(ctx, s)
	}
	return nil
}

// orphanedParity is about what nobody but us writes, and what is of no use
// without any of the files that it is of.
func (x *examiner) orphanedParity(s *shelf.Set) {
	f := x.leftover(OrphanedParity, namesOf(s)...)
	f.Path = s.Path
	f.What = "parity of " + s.Path + " is left, of which nothing else is there"
	f.Why = "who removed the checkpoint did not know of parity"
	x.find(f)
}

// orphanedReceipt is about one whose checkpoint TensorFlow has removed, which
// knows nothing of receipts.
func (x *examiner) orphanedReceipt(s *shelf.Set) {
	f := x.leftover(OrphanedReceipt, s.Receipt.Name)
	f.Path = s.Path
	f.What = "the receipt of " + s.Path + " is left, of which nothing else is there"
	f.Why = "who removed the checkpoint did not know of receipts, or a save ended early"
	if r, ok := x.receipts[s.Path]; !ok || r.Path != s.Path {
		f.Fixable, f.Severity, f.Fix = false, Warning, "nothing: it does not say of itself that it is one of ours"
	}
	x.find(f)
}

// orphanedData is about data files alone. Nothing shows whose they are.
func (x *examiner) orphanedData(s *shelf.Set) {
	f := Finding{Kind: OrphanedData, Severity: Warning, Path: s.Path, Files: namesOf(s), step: stepLeftovers,
		What: fmt.Sprintf("%s of %s without an index", plural(len(s.Data), "data file"), s.Path),
		Why:  "a save that was never finished, or a checkpoint that was removed in part, of another program or of ours",
		Fix:  "nothing: no receipt shows that they are ours. Remove them if no program is writing them and the index cannot be brought back"}
	if !x.old(f.Files...) {
		f.Severity, f.Why = Note, "somebody may just be writing them: the youngest is less than an hour old"
	}
	x.find(f)
}

// withoutIndex is about data files whose receipt says that they are ours: left
// by a removal, which takes the index first, or by a save, which gives it last.
// No removal of ours takes what is pinned, kept or the latest; then the index was
// lost in another way, and may be brought back, perhaps by parity.
func (x *examiner) withoutIndex(ctx context.Context, s *shelf.Set) error {
	r, ok := x.receipts[s.Path]
	if !ok || !saysSo(r, s) {
		x.orphanedData(s)
		return nil
	}
	f := x.leftover(HalfRemoved, namesOf(s)...)
	f.Path = s.Path
	f.What = s.Path + " has data files and a receipt, and no index"
	f.Why = "the receipt says that they are ours: a removal or a save ended half-way"
	why := x.whyLost(s.Path, r)
	if why != "" {
		f = Finding{Kind: IndexLost, Severity: Problem, Path: s.Path, Files: namesOf(s), step: stepLeftovers,
			What: "the index of " + s.Path + " is gone", Why: "nothing of ours removes it: " + why,
			Fix: "nothing: bring " + s.Path + ".index back from where it was copied to; the data files are left as they are",
			Err: &fs.PathError{Op: "open", Path: s.Path + ".index", Err: fs.ErrNotExist}}
	}
	repair := f
	if err := x.byParity(ctx, &repair); err != nil {
		return err
	}
	switch mendable := repair.step == stepRepair; {
	case mendable && why != "":
		f = repair
	case mendable: // rules do not want it, or nobody was told of it; and yet it is whole
		f.Severity, f.Fixable = Warning, false
		f.Fix = "nothing: its parity has the index, so that it could be restored. The next save of a manager removes it"
	}
	x.find(f)
	return nil
}

// whyLost says why a checkpoint without index was not removed by rules, nor
// never finished; "" if it may have been.
func (x *examiner) whyLost(p string, r checkpoint.Receipt) string {
	switch {
	case p == x.latest:
		return "the state file names it as the latest"
	case r.Pinned != "":
		return "it is pinned"
	case r.Kept != "":
		return "it is kept: " + r.Kept
	case r.Retained != "":
		return "it is kept: " + r.Retained
	}
	return ""
}

// saysSo reports whether a receipt lists the data files that are there, by
// name and size.
func saysSo(r checkpoint.Receipt, s *shelf.Set) bool {
	for _, d := range s.Data {
		same := func(f checkpoint.ReceiptFile) bool { return f.Name == path.Base(d.Name) && f.Size == d.Size }
		if !slices.ContainsFunc(r.Files, same) {
			return false
		}
	}
	return true
}

// leftover is a finding about files of ours that Fix removes if they are old.
func (x *examiner) leftover(kind Kind, names ...string) Finding {
	f := Finding{Kind: kind, Severity: Problem, Files: names, step: stepLeftovers, Fix: "removes " + strings.Join(names, ", ")}
	f.Fixable = x.old(names...)
	if !f.Fixable {
		f.Severity, f.Fix = Note, "nothing yet: less than an hour old, somebody may be writing it"
	}
	f.mend = func(ctx context.Context) error { return x.removeUnchanged(ctx, names) }
	return f
}

// removeUnchanged removes files that are as they were when they were looked at.
// The data files go before the receipt, without which they would be nobody's.
func (x *examiner) removeUnchanged(ctx context.Context, names []string) error {
	for _, name := range names {
		for info, err := range x.dir.List(ctx, name) {
			if err != nil {
				return err
			}
			if was := x.files[name]; info.Name == name && (info.Size != was.Size || !info.ModTime.Equal(was.ModTime)) {
				return nil // the next look will show
			}
		}
	}
	var receipts, others []string
	for _, name := range names {
		if n, ok := filename.Parse(name); ok && n.Part == filename.Receipt {
			receipts = append(receipts, name)
		} else {
			others = append(others, name)
		}
	}
	return storage.RemoveAll(ctx, x.dir, others, receipts)
}

// checkLeases looks for leases that ran out long ago: by the clock of a holder
// that is behind, one may seem to have run out that has not.
func (x *examiner) checkLeases(ctx context.Context) error {
	leases, err := checkpoint.ListLeases(ctx, x.dir)
	if err != nil {
		return err
	}
	for _, l := range leases {
		if x.now.Sub(l.Expires) <= staleAge {
			continue
		}
		f := x.leftover(ExpiredLease, l.Name)
		f.Path = l.Path
		f.What = fmt.Sprintf("a lease on %s ran out at %s", l.Path, l.Expires.UTC().Format(time.RFC3339))
		f.Why = "its holder, " + l.Holder + ", has not renewed it"
		x.find(f)
	}
	return nil
}
