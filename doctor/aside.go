package doctor

import (
	"context"
	"slices"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/filename"
)

// putAside lets checkpoints that lack data files be put aside, if there is one
// that is whole: an index without its data only stands in the way. Nothing is
// lost by that. It also tells of those that lie there already.
func (x *examiner) putAside(ctx context.Context) error {
	for i := range x.found {
		f := &x.found[i]
		if f.Kind != Incomplete || f.Fixable || len(x.valid) == 0 || x.sets[f.Path] == nil {
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
