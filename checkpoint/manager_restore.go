package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/filename"
)

// restoreNewest restores the newest checkpoint that may be restored, and
// returns "" where there is none. One that is marked as rejected is passed
// over, and so is one that the Validation rejects now; a broken one only with
// Fallback.
func (m *Manager) restoreNewest(ctx context.Context) (string, error) {
	r := &restoring{m: m}
	if m.o.Fallback || m.o.Validate != nil {
		r.crew = crew.New(m.c.o.Workers)
	}
	return r.run(ctx)
}

func (r *restoring) run(ctx context.Context) (string, error) {
	path, err := r.newest(ctx)
	r.m.passedOver(r.passed)
	if err != nil && r.holds != "" {
		// All or nothing ends where validation begins.
		err = fmt.Errorf("the objects hold the values of %s: %w", r.holds, err)
	}
	return path, err
}

// restoring is one call of RestoreOrInitialize.
type restoring struct {
	m      *Manager
	crew   *crew.Worker // nil: this worker decides alone
	passed []Broken
	holds  string // the checkpoint that was restored, and rejected after that
	heal   bool   // it is RestoreLatestValid
	stay   bool   // and cannot write
}

func (r *restoring) newest(ctx context.Context) (string, error) {
	for path, err := range r.m.newestFirst(ctx) {
		if err == nil {
			err = r.try(ctx, path)
		}
		if r.heal && err != nil {
			err = r.again(ctx, path, err)
		}
		err = r.agree(ctx, path, err)
		if r.heal && err != nil {
			err = r.mended(ctx, path, err)
		}
		if err == nil {
			return path, nil
		}
		if !r.passes(err) {
			return "", r.advise(err)
		}
		r.mark(ctx, path, err)
		r.m.o.Logger.Warn("passed over a checkpoint, trying the one before it", "path", path, "err", err)
		r.passed = append(r.passed, Broken{Path: path, Err: err})
	}
	if err := r.agree(ctx, "", nil); err != nil {
		return "", err
	}
	if len(r.passed) > 0 {
		return "", fmt.Errorf("restore: %w", &NoneValidError{r.passed})
	}
	return "", nil
}

// passes reports whether the checkpoint before is tried after err.
func (r *restoring) passes(err error) bool {
	return errors.Is(err, ErrRejected) || (r.m.o.Fallback || r.heal) && isDamage(err)
}

// advise says what could be done about damage.
func (r *restoring) advise(err error) error {
	if isDamage(err) && !r.m.o.Fallback {
		return fmt.Errorf("%w (ManagerOptions.Fallback goes back to the one before)", err)
	}
	return err
}

// mark marks a checkpoint that was rejected just now. That it cannot be is
// told, and changes nothing about this restore.
func (r *restoring) mark(ctx context.Context, path string, err error) {
	var v *verdict
	if !errors.As(err, &v) || r.crew != nil && !r.crew.Leads() {
		return
	}
	if failed := Reject(ctx, r.m.dir, path, v.reason); failed != nil {
		r.m.o.Logger.Warn("a rejected checkpoint could not be marked", "path", path, "err", failed)
	}
}

// attempt is what a worker tells the others about a checkpoint.
type attempt struct {
	Path     string
	Passed   string // why it has to be passed over; "" if it has not
	Rejected bool   // it is not damaged
	Reason   string // of its own Validation
}

// agree makes several workers take the same checkpoint: what one of them
// passes over all do.
func (r *restoring) agree(ctx context.Context, path string, err error) error {
	if r.crew == nil {
		return err
	}
	mine, failed := attempt{Path: path}, err
	if err != nil && r.passes(err) {
		mine.Passed, mine.Rejected, failed = err.Error(), errors.Is(err, ErrRejected), nil
		var v *verdict
		if errors.As(err, &v) {
			mine.Reason = v.reason
		}
	}
	all, failed := crew.Round(ctx, r.crew, "restored", mine, failed)
	if failed != nil || err != nil {
		return cmp.Or(failed, err)
	}
	for rank, a := range all {
		switch {
		case a.Path != path:
			return fmt.Errorf("restore %q: worker %d has %q", path, rank, a.Path)
		case a.Reason != "":
			err = fmt.Errorf("worker %d: %w", rank, &verdict{a.Reason})
		case a.Rejected && err == nil:
			err = fmt.Errorf("worker %d: %s: %w", rank, a.Passed, ErrRejected)
		case a.Passed != "" && err == nil:
			err = fmt.Errorf("worker %d: %s: %w", rank, a.Passed, format.ErrCorrupt)
		}
	}
	return err
}

// try restores one checkpoint and validates what came of it. The mark is that
// of the path itself: to look for a recovery set too, at every start, is not
// worth it.
func (r *restoring) try(ctx context.Context, path string) error {
	if err := rejection(ctx, r.m.dir, path); err != nil {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	if err := r.m.restore(ctx, path); err != nil || r.m.o.Validate == nil {
		return unindexed(ctx, r.m.dir, path, err)
	}
	r.holds = path
	return r.m.validate(ctx, path)
}

// newestFirst yields the latest checkpoint, then the list of the manager, the
// last saved first, and then what else there is of its name, which no manager
// manages: preserved ones, say. An error is the last.
func (m *Manager) newestFirst(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		latest := m.LatestCheckpoint()
		if latest == "" || !yield(latest, nil) {
			return
		}
		told := []string{latest}
		for _, p := range slices.Backward(m.Checkpoints()) {
			// One that a sweep has half removed is none any more.
			is, err := Exists(ctx, m.dir, p)
			if err != nil {
				yield("", err)
				return
			}
			if p == latest || !is {
				continue
			}
			if told = append(told, p); !yield(p, nil) {
				return
			}
		}
		list, err := List(ctx, m.dir, nil)
		if err != nil {
			yield("", err)
			return
		}
		for _, e := range slices.Backward(list) {
			_, mine := filename.NumberOf(m.o.CheckpointName, e.Path)
			if mine && !slices.Contains(told, e.Path) && !yield(e.Path, nil) {
				return
			}
		}
	}
}

// PassedOver returns the checkpoints that the last RestoreOrInitialize passed
// over before it restored one, or gave up, newest first.
func (m *Manager) PassedOver() []Broken {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.passed)
}
