package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// restoreNewest restores the newest checkpoint that may be restored, and
// returns "" where there is none. One that is marked as rejected is passed
// over, and so is one that the Validation rejects now; a broken one only with
// Fallback.
func (m *Manager) restoreNewest(ctx context.Context) (string, error) {
	r := &restoring{m: m}
	path, err := r.newest(ctx)
	m.mu.Lock()
	m.passed = r.passed
	m.mu.Unlock()
	if err != nil && r.holds != "" {
		// All or nothing ends where validation begins.
		err = fmt.Errorf("the objects hold the values of %s: %w", r.holds, err)
	}
	return path, err
}

// restoring is one call of RestoreOrInitialize.
type restoring struct {
	m      *Manager
	passed []Broken
	holds  string // the checkpoint that was restored, and rejected after that
}

func (r *restoring) newest(ctx context.Context) (string, error) {
	for path, err := range r.m.newestFirst(ctx) {
		if err == nil {
			err = r.try(ctx, path)
		}
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, ErrRejected) && !(r.m.o.Fallback && isDamage(err)) {
			return "", err
		}
		r.m.o.Logger.Warn("passed over a checkpoint, trying the one before it", "path", path, "err", err)
		r.passed = append(r.passed, Broken{path, err})
	}
	if len(r.passed) > 0 {
		return "", fmt.Errorf("restore: %w", &NoneValidError{r.passed})
	}
	return "", nil
}

// try restores one checkpoint and validates what came of it. The mark is that
// of the path itself: to look for a recovery set too, at every start, is not
// worth it.
func (r *restoring) try(ctx context.Context, path string) error {
	if err := rejection(ctx, r.m.dir, path); err != nil {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	if err := r.m.restore(ctx, path); err != nil || r.m.o.Validate == nil {
		return err
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
			if p == latest {
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
			_, mine := numberOf(m.o.CheckpointName, e.Path)
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
