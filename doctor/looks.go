package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Beside a training that is at work some of what a look finds is only half of
// what the training does: an index without state file, a removal that has begun,
// files that are gone by the time they are read. None of that lasts. So if
// anything was written lately, what is found has to be there again a moment
// later, in the very same files. What a writer that waits for its disk may be in
// the midst of is looked for once more after a longer while.
const recently = time.Minute

// pauses lie between the looks, which end with the first that leaves nothing.
var pauses = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond}

// steady examines until what is found stays.
func (x *examiner) steady(ctx context.Context) error {
	if err := x.examine(ctx); err != nil {
		return err
	}
	for i, pause := range x.o.pauses {
		if !x.recent() || i == 0 && len(x.found) == 0 || i > 0 && !slices.ContainsFunc(x.found, maySettle) {
			break
		}
		before := make(map[string]bool)
		for _, f := range x.found {
			before[x.evidence(f)] = true
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
		if err := x.examine(ctx); err != nil {
			return err
		}
		x.found = slices.DeleteFunc(x.found, func(f Finding) bool { return !before[x.evidence(f)] })
	}
	return nil
}

// maySettle tells what a save or a sweep leaves for as long as it takes to
// flush a directory. Damage it leaves none, nor files of others.
func maySettle(f Finding) bool {
	switch f.Kind {
	case Interrupted, StateMissing, StateBehind, StateNotNewest, StateEntry, HalfRemoved, IndexLost, OrphanedData, OrphanedReceipt, OrphanedParity:
		return true
	}
	return false
}

// recent reports whether somebody may have written to the directory a moment
// ago. Its clock may be another.
func (x *examiner) recent() bool {
	for _, info := range x.files {
		if x.now.Sub(info.ModTime).Abs() < recently {
			return true
		}
	}
	return false
}

// evidence tells a finding, and the files that it is about as they are now, from
// all others.
func (x *examiner) evidence(f Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s\x00%s\x00%s", f.Kind, f.Path, f.What, x.fingerprint(f.Path))
	for _, name := range f.Files {
		fmt.Fprintf(&b, "\x00%s\x00%s", name, x.stamp(name))
	}
	return b.String()
}

// stamp tells two states of a file apart.
func (x *examiner) stamp(name string) string {
	info := x.files[name]
	return fmt.Sprintf("%d %d", info.Size, info.ModTime.UnixNano())
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sortFound puts the worst first, and what is mended first before the rest.
func (x *examiner) sortFound() {
	slices.SortStableFunc(x.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.step, b.step), cmp.Compare(a.Path, b.Path))
	})
}
