package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
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
	judged, err := checkpoint.Orphans(ctx, x.dir)
	if err != nil {
		return err
	}
	orphans := make(map[string]checkpoint.Orphan)
	for _, o := range judged {
		orphans[o.Path] = o
	}
	for _, p := range slices.Sorted(maps.Keys(x.sets)) {
		s := x.sets[p]
		if rec := x.sets[filename.Recovery(p)]; s.Index != nil || !filename.OfDirectory(p) || rec != nil && rec.Complete() {
			continue // or it is an interrupted overwrite's
		}
		if err := x.checkOrphan(ctx, s, orphans); err != nil {
			return err
		}
	}
	return nil
}

func (x *examiner) checkOrphan(ctx context.Context, s *shelf.Set, judged map[string]checkpoint.Orphan) error {
	o, ours := judged[s.Path]
	switch {
	case len(s.Data) == 0 && (x.isValid(s.Path) || x.bad[s.Path]):
		// The receipt of a checkpoint of TensorFlow 1 that somebody marked.
	case len(s.Data) == 0 && s.Receipt == nil:
		x.orphanedParity(s)
	case len(s.Data) == 0:
		x.orphanedReceipt(s)
	case !ours:
		x.orphanedData(s)
	default:
		return x.withoutIndex(ctx, s, o)
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

// withoutIndex is about data files that are ours: left by a removal, which takes
// the index first, or by a save, which gives it last; or their index was lost.
// Which of these package checkpoint tells, by which a manager's tidying goes, too.
func (x *examiner) withoutIndex(ctx context.Context, s *shelf.Set, o checkpoint.Orphan) error {
	if o.Fate == checkpoint.OrphanLeftover {
		f := x.leftover(HalfRemoved, namesOf(s)...)
		f.Path = s.Path
		f.What = s.Path + " has data files and a receipt, and no index"
		f.Why = "the receipt says that they are ours; " + o.Why
		x.find(f)
		return nil
	}
	f := Finding{Kind: IndexLost, Severity: Problem, Path: s.Path, Files: namesOf(s), step: stepLeftovers,
		What: "the index of " + s.Path + " is gone", Why: "nothing of ours removes it: " + o.Why,
		Fix: "nothing: bring " + s.Path + ".index back from where it was copied to; the data files are left as they are",
		Err: &fs.PathError{Op: "open", Path: s.Path + ".index", Err: fs.ErrNotExist}}
	if o.Fate == checkpoint.OrphanUnclear {
		f.Why = o.Why
		if !x.old(f.Files...) {
			f.Severity, f.Why = Note, "somebody may just be writing it: the youngest file is less than an hour old"
		}
	}
	if err := x.byParity(ctx, &f); err != nil {
		return err
	}
	if repair := f.mend; repair != nil {
		f.mend = func(ctx context.Context) error {
			if err := repair(ctx); err != nil {
				return err
			}
			return x.unpinFound(ctx, s.Path)
		}
	}
	x.find(f)
	return nil
}

// pinOrphans pins what may have lost its index, before a new state file makes it
// look like a save that was never acknowledged.
func (x *examiner) pinOrphans(ctx context.Context) error {
	orphans, err := checkpoint.Orphans(ctx, x.dir)
	for _, o := range orphans {
		r, readable := x.receipts[o.Path]
		if err == nil && o.Fate != checkpoint.OrphanLeftover && readable && r.Pinned == "" {
			err = x.pinLost(ctx, o.Path)
		}
	}
	return err
}

// unpinFound takes the pin away that kept what was left of a checkpoint whose
// index is back.
func (x *examiner) unpinFound(ctx context.Context, p string) error {
	r, err := checkpoint.ReadReceipt(ctx, x.place, p)
	if err != nil || !strings.HasPrefix(r.Pinned, checkpoint.PinnedIndexLost) {
		return unlessDamage(err)
	}
	return checkpoint.Unpin(ctx, x.place, p)
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
