package doctor

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/filename"
)

// putAside lets checkpoints that lack data files be put aside, if there is one
// that is whole: an index without its data only stands in the way. Nothing is
// lost by that. It also tells of those that lie there already.
func (x *examiner) putAside(ctx context.Context) error {
	for i := range x.found {
		f := &x.found[i]
		if f.Kind != Incomplete || f.Fixable || x.sets[f.Path] == nil {
			continue
		}
		if may, err := x.mayLeave(ctx, f.Path); err != nil {
			return err
		} else if !may {
			continue
		}
		p := f.Path
		f.Fixable, f.step, f.lockless = true, stepAside, true
		f.Fix = "puts it aside, into " + filename.Quarantine + ", with all of its files: bring the others back from where they were copied to"
		f.mend = func(ctx context.Context) error {
			_, err := checkpoint.Quarantine(ctx, x.place, p, nil)
			return err
		}
	}
	x.causesAlone()
	list, err := checkpoint.Quarantined(ctx, x.dir)
	for _, q := range list {
		f := Finding{Kind: PutAside, Severity: Note, Path: q.Path, step: stepAside,
			What: q.Path + " lies in " + q.Where, Why: "it was broken: " + q.Cause,
			Fix: "nothing: look at it, and remove it or move its files back"}
		if q.Cause == "" {
			f.Why = "it was broken; the file that says how is missing"
		}
		for name := range x.files {
			if len(name) > len(q.Where) && name[:len(q.Where)+1] == q.Where+"/" {
				f.Files = append(f.Files, name)
			}
		}
		slices.Sort(f.Files)
		x.find(f)
	}
	return err
}

// mayLeave reports whether Quarantine would put a checkpoint aside: nobody reads
// it, and another of its name is whole when all of it is read, and not rejected.
func (x *examiner) mayLeave(ctx context.Context, p string) (bool, error) {
	leases, err := checkpoint.ListLeases(ctx, x.dir)
	if err != nil || slices.ContainsFunc(leases, func(l checkpoint.LeaseInfo) bool { return l.Path == p && x.now.Before(l.Expires) }) {
		return false, ctx.Err() // a lease that cannot be read is told elsewhere
	}
	name, _, numbered := filename.SplitNumber(p)
	for _, other := range x.valid {
		if _, same := filename.NumberOf(name, other); !numbered || !same || other == p || x.receipts[other].Rejected != "" {
			continue
		}
		if err := x.vouch(ctx, other); !errors.Is(err, errNotWhole) {
			return err == nil, ctx.Err()
		}
	}
	return false, nil
}

// causesAlone tells of what says why a checkpoint was put aside that is not
// there any more: somebody has moved its files back.
func (x *examiner) causesAlone() {
	files := make(map[string]int)
	for name := range x.files {
		if strings.HasPrefix(name, filename.Quarantine+"/") {
			files[path.Dir(name)]++
		}
	}
	for _, in := range slices.Sorted(maps.Keys(files)) {
		cause := path.Join(in, filename.Cause)
		if _, is := x.files[cause]; !is || files[in] > 1 || path.Dir(in) != filename.Quarantine {
			continue
		}
		f := x.leftover(PutAside, cause)
		f.What, f.Why = cause+" is left alone", "the files that it is about were moved back, or removed"
		if !f.Fixable {
			f.Fix = "nothing yet: less than an hour old, somebody may be moving them"
		}
		x.find(f)
	}
}
