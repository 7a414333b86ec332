package doctor

import (
	"cmp"
	"context"
	"maps"
	"slices"
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
	if len(x.bad) > 0 && len(x.valid) == 0 {
		x.find(Finding{Kind: NoneValid, Severity: Problem, Files: slices.Collect(maps.Keys(x.bad)), Err: checkpoint.ErrNoneValid,
			What: "no checkpoint is valid", Why: "none that is there passes",
			Fix: "nothing: bring one back from a backup, or remove them all to begin anew"})
	}
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
