package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
)

// sortValid sorts the checkpoints that passed by age. Numbers tell among those
// of one name, unless the caller of a manager has chosen them: then the save
// counters do. Names go by the newest of each.
func (x *examiner) sortValid(context.Context) error {
	times := make(map[string]time.Time)
	for _, p := range x.valid {
		times[p] = x.timeOf(p)
	}
	shelf.SortByAge(x.valid, times)
	for start := 0; start < len(x.valid); {
		name, _, _ := filename.SplitNumber(x.valid[start])
		end := start
		for end < len(x.valid) {
			if other, _, _ := filename.SplitNumber(x.valid[end]); other != name {
				break
			}
			end++
		}
		x.sortChosen(x.valid[start:end])
		start = end
	}
	return nil
}

// checkNone is about a directory in which nothing passes. What can be made
// whole again has been found by now.
func (x *examiner) checkNone(context.Context) error {
	if len(x.bad) == 0 || len(x.valid) > 0 || len(x.unread) > 0 {
		return nil
	}
	f := Finding{Kind: NoneValid, Severity: Problem, Files: sorted(x.bad), Err: checkpoint.ErrNoneValid,
		What: "no checkpoint is whole", Why: fmt.Sprintf("of %s that are there none passes", plural(len(x.bad), "checkpoint"))}
	if len(x.bad) == 1 {
		f.Why = "the only checkpoint that is there does not pass"
	}
	var mendable []string
	for _, g := range x.found {
		if g.Fixable && (g.step == stepRepair || g.step == stepSettle) {
			mendable = append(mendable, g.Path)
		}
	}
	f.Fix = "nothing by itself: bring one back from where it was copied to. Remove none of them: the tensors that are not damaged can still be read, with ckpt cat"
	if len(mendable) > 0 {
		with := "--fix"
		if x.o.Deep { // else it would not be found again
			with = "--deep --fix"
		}
		f.Fix = "nothing by itself: " + with + " mends " + strings.Join(slices.Compact(mendable), ", ") + ". Remove none of them"
	}
	x.find(f)
	return nil
}

// sortChosen sorts checkpoints of one name whose numbers were chosen, if their
// receipts show that.
func (x *examiner) sortChosen(group []string) {
	chosen := false
	for _, p := range group {
		_, n, _ := filename.SplitNumber(p)
		r, ok := x.receipts[p]
		if !ok || r.SaveCounter <= 0 {
			return
		}
		chosen = chosen || r.SaveCounter != n
	}
	if chosen {
		slices.SortStableFunc(group, func(a, b string) int {
			return cmp.Or(cmp.Compare(x.receipts[a].SaveCounter, x.receipts[b].SaveCounter), x.timeOf(a).Compare(x.timeOf(b)))
		})
	}
}

// timeOf returns when a checkpoint was saved, as far as its receipt tells, or
// its index.
func (x *examiner) timeOf(p string) time.Time {
	if r, ok := x.receipts[p]; ok && !r.Time.IsZero() {
		return r.Time
	}
	if s := x.sets[p]; s != nil && s.Index != nil {
		return s.ModTime()
	}
	return x.files[p].ModTime // TensorFlow 1's
}
