package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/storage"
)

// step is when a finding is mended. Each step leaves the directory so that the
// next can be done after a crash as well: first there is one state of each
// checkpoint, then all of its files, or it is put aside, then its receipt, then
// the state file that names it; and only when all of that is durable, what nobody
// needs is made anew or removed.
type step int

const (
	stepLock step = iota // done by taking the lock
	stepSettle
	stepRepair
	stepAside
	stepReceipt
	stepState
	stepProtect
	stepLeftovers
	steps
)

// FixOptions restrict what is mended, or ask for more. Nil and zero values are
// the defaults.
type FixOptions struct {
	// State also mends what may be so on purpose: a state file that names a
	// whole checkpoint that is not the newest, a damaged one, or one that is
	// not in this directory.
	State bool
	// Only chooses the findings to mend. Default: all that are fixable.
	Only func(Finding) bool
	// Tell is told of each finding after it was mended, or why it could not be.
	// An error that ends Fix is returned instead.
	Tell func(Finding, error)
}

// Fix mends what is fixable, and examines the directory again: the report that
// it returns says what is left, and in Mended what was done. It holds the
// writer's lock meanwhile. Where a training is at work that is an error that
// wraps storage.ErrLocked and names the holder. Before it does anything it
// looks again, so that nothing is mended that is not broken any more.
//
// An error ends it; what was mended until then stays mended, and the report
// tells of it, and of what was found. After a crash it may be called again.
func (r *Report) Fix(ctx context.Context, o *FixOptions) (*Report, error) {
	after := *r
	after.Mended = nil
	f := &fixer{x: newExaminer(r.dir, r.o), tried: make(map[string]bool), worse: make(map[string]error), r: &after}
	if o != nil {
		f.o = *o
	}
	if !slices.ContainsFunc(r.Findings, f.wanted) {
		return r, nil
	}
	if err := f.locked(ctx, r); err != nil {
		return f.r, fmt.Errorf("fix: %w", err)
	}
	return f.r, nil
}

// locked holds the lock from the beginning to the end.
func (f *fixer) locked(ctx context.Context, before *Report) error {
	lock, locked, err := dirlock.Lock(ctx, f.x.dir)
	if err != nil {
		return err
	}
	f.r.Unlocked = !locked
	f.x.dir = dirlock.Guarded(lock, f.x.dir)
	err = dirlock.InTurn(ctx, lock, func() error {
		if err := f.clock(ctx); err != nil {
			return err
		}
		return f.tellOfTemporary(ctx, before)
	})
	for more := true; more && err == nil; {
		more, err = f.round(ctx, lock)
	}
	if failed := lock.Unlock(); err == nil {
		err = failed
	}
	return err
}

type fixer struct {
	x     *examiner
	o     FixOptions
	r     *Report
	tried map[string]bool  // findings that were mended already
	worse map[string]error // what mending has found out about others: they are damaged beyond it
}

func (f *fixer) wanted(g Finding) bool {
	return g.Fixable && (!g.OnRequest || f.o.State) && (f.o.Only == nil || f.o.Only(g))
}

// clock asks the storage for the time, by a file: what is old is old by the
// clock that has written the dates of the files.
func (f *fixer) clock(ctx context.Context) error {
	if err := storage.WriteFileSoon(ctx, f.x.dir, probe, nil); err != nil {
		return err
	}
	var now time.Time
	for info, err := range f.x.dir.List(ctx, probe) {
		if err != nil {
			return err
		}
		if info.Name == probe {
			now = info.ModTime
		}
	}
	if err := f.x.dir.Remove(ctx, probe); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.x.o.Now = func() time.Time { return now }
	return nil
}

// tellOfTemporary tells of the files that taking both locks has removed.
func (f *fixer) tellOfTemporary(ctx context.Context, before *Report) error {
	nothing := func(storage.Dir) error { return nil }
	if err := dirlock.BetweenSweeps(ctx, f.x.place, dirlock.PinPatience, nothing); err != nil {
		return err
	}
	left, err := storage.Leftovers(ctx, f.x.place)
	for _, g := range before.Findings {
		stays := func(info storage.Info) bool { return info.Name == g.Files[0] }
		if g.step == stepLock && f.wanted(g) && err == nil && !slices.ContainsFunc(left, stays) {
			f.mended(g)
		}
	}
	return err
}

// round examines and mends what comes next. What takes the lock itself is done
// after the turn, and before another look.
func (f *fixer) round(ctx context.Context, lock storage.Held) (more bool, err error) {
	var next []Finding
	err = dirlock.InTurn(ctx, lock, func() error {
		if err := f.x.examine(ctx); err != nil {
			return err
		}
		f.x.report(f.r)
		f.tellOfWorse()
		next = f.next()
		if len(next) > 0 && !next[0].lockless {
			return f.mendAll(ctx, next)
		}
		return nil
	})
	if err == nil && len(next) > 0 && next[0].lockless {
		err = f.mendAll(ctx, next[:1])
	}
	return len(next) > 0, err
}

func (f *fixer) mendAll(ctx context.Context, list []Finding) error {
	for _, g := range list {
		if err := f.mend(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// next returns the wanted findings of the first step that has any. A finding
// that comes again, although it was mended, is left for people to see. Of those
// about the state file each rests on what the file said before: one at a time.
func (f *fixer) next() []Finding {
	for s := stepSettle; s < steps; s++ {
		var list []Finding
		for _, g := range f.x.found {
			// Who has lost the lease may still be at work on what looks broken.
			free := g.Path == "" || dirlock.Free(f.x.dir, g.Path) == nil
			if free && g.step == s && f.wanted(g) && !f.tried[key(g)] {
				list = append(list, g)
			}
		}
		if s == stepState && len(list) > 1 {
			list = list[:1]
		}
		if len(list) > 0 {
			return list
		}
	}
	return nil
}

func key(g Finding) string { return fmt.Sprintf("%s\x00%s\x00%q", g.Kind, g.Path, g.Files) }

// mend mends one. That it turns out to be damaged beyond that ends nothing, it
// stays to be told; an error of the place ends all.
func (f *fixer) mend(ctx context.Context, g Finding) error {
	f.tried[key(g)] = true
	err := g.mend(ctx)
	switch {
	case err == nil:
		f.mended(g)
	case errors.Is(err, errNotWhole):
		f.tried[key(g)] = false // the next look will show
	case unlessDamage(err) != nil && !refused(err):
		return fmt.Errorf("%s: %w", g.What, err)
	default:
		if isDamage(err) {
			f.worse[key(g)] = err
		}
		if f.o.Tell != nil {
			f.o.Tell(g, err)
		}
	}
	return nil
}

// tellOfWorse calls nothing fixable of which mending has shown that it is not:
// who does not look in depth finds only then that what it would need is damaged.
func (f *fixer) tellOfWorse() {
	for i := range f.r.Findings {
		g := &f.r.Findings[i]
		if err := f.worse[key(*g)]; err != nil {
			g.Fixable, g.Err = false, err
			g.Why += "; to mend it was tried: " + err.Error()
		}
	}
}

// refused reports whether err is no failure, but that something is not to be
// mended after all.
func refused(err error) bool {
	return slices.ContainsFunc([]error{checkpoint.ErrLastLeft, checkpoint.ErrWhole, checkpoint.ErrLeased, errors.ErrUnsupported},
		func(target error) bool { return errors.Is(err, target) })
}

func (f *fixer) mended(g Finding) {
	f.r.Mended = append(f.r.Mended, g)
	if f.o.Tell != nil {
		f.o.Tell(g, nil)
	}
}

// keep gives a file that is to be replaced a second name, which says what is in
// it: done twice, it is the same.
func (x *examiner) keep(ctx context.Context, name string) error {
	f, err := x.sum(ctx, name)
	if err != nil {
		return err
	}
	err = storage.Link(ctx, x.dir, name, fmt.Sprintf("%s.old-%08x", name, f.CRC32C))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
