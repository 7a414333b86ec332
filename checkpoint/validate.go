package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Validation runs what RestoreOrInitialize has restored, and compares its
// metrics with those in the checkpoint's receipt. Where they differ, the
// checkpoint is marked as rejected, in its receipt, and the next older one is
// restored and validated. TensorFlow has nothing like it: a bad checkpoint is
// restored again at every restart.
type Validation struct {
	// Run returns metrics of the objects as they are. Those that the receipt
	// has too are compared; a checkpoint that has none of them is accepted,
	// with a warning. An error that wraps ErrRejected rejects the checkpoint;
	// any other ends RestoreOrInitialize and marks nothing, because it says
	// nothing about the checkpoint.
	Run func(ctx context.Context) (map[string]float64, error)
	// Tolerance is for the metrics that Tolerances does not name.
	Tolerance  Tolerance
	Tolerances map[string]Tolerance
}

// Tolerance is how far a metric may be from the stored one: Absolute, or
// Relative times the stored value, whichever is more. Zero is the default, a
// millionth or one percent. NaN agrees with NaN only, and an infinity with
// itself.
type Tolerance struct{ Relative, Absolute float64 }

var defaultTolerance = Tolerance{Relative: 0.01, Absolute: 1e-6}

// agrees reports whether got is as near to want as it has to be.
func (t Tolerance) agrees(got, want float64) bool {
	if t == (Tolerance{}) {
		t = defaultTolerance
	}
	switch {
	case math.IsNaN(got) || math.IsNaN(want):
		return math.IsNaN(got) && math.IsNaN(want)
	case math.IsInf(got, 0) || math.IsInf(want, 0):
		return got == want
	}
	return math.Abs(got-want) <= max(t.Absolute, t.Relative*math.Abs(want))
}

func (v *Validation) check() error {
	if v == nil {
		return nil
	}
	if v.Run == nil {
		return errors.New("validate: Run is nil")
	}
	for name, t := range v.Tolerances {
		if !t.valid() {
			return fmt.Errorf("validate: tolerance of %q is %v, want finite numbers, 0 or more", name, t)
		}
	}
	if !v.Tolerance.valid() {
		return fmt.Errorf("validate: tolerance is %v, want finite numbers, 0 or more", v.Tolerance)
	}
	return nil
}

func (t Tolerance) valid() bool {
	fine := func(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }
	return fine(t.Relative) && fine(t.Absolute)
}

// verdict is the error of a checkpoint that failed its validation just now.
type verdict struct{ reason string }

func (v *verdict) Error() string        { return ErrRejected.Error() + ": " + v.reason }
func (v *verdict) Is(target error) bool { return target == ErrRejected }

// validate runs the Validation on what was restored from path.
func (m *Manager) validate(ctx context.Context, path string) error {
	got, err := m.o.Validate.Run(ctx)
	if ended := ctx.Err(); ended != nil {
		return fmt.Errorf("validate %s: %w", path, ended)
	}
	if errors.Is(err, ErrRejected) {
		err = &verdict{strings.TrimPrefix(err.Error(), ErrRejected.Error()+": ")}
	}
	if err == nil {
		err = m.compare(ctx, path, got)
	}
	if err != nil {
		return fmt.Errorf("validate %s: %w", path, err)
	}
	return nil
}

// compare returns a verdict if a metric is not what the receipt says.
func (m *Manager) compare(ctx context.Context, path string, got map[string]float64) error {
	var want map[string]float64
	at, err := locatePath(ctx, m.dir, path)
	if err != nil {
		return err
	}
	// A receipt that is missing or broken has no metrics: nothing to compare.
	if r, err := ReadReceipt(ctx, m.dir, at.Stored); err == nil {
		want = r.Metrics
	}
	var wrong []string
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(got)) {
		w, ok := want[name]
		if !ok {
			continue
		}
		compared++
		if !m.o.Validate.tolerance(name).agrees(got[name], w) {
			wrong = append(wrong, fmt.Sprintf("%s is %v, was %v when it was saved", name, got[name], w))
		}
	}
	if compared == 0 {
		m.o.Logger.Warn("restored without validation: the receipt has none of the metrics", "path", path,
			"metrics", slices.Sorted(maps.Keys(got)))
	}
	if len(wrong) > 0 {
		return &verdict{strings.Join(wrong, "; ")}
	}
	return nil
}

func (v *Validation) tolerance(name string) Tolerance {
	if t, ok := v.Tolerances[name]; ok {
		return t
	}
	return v.Tolerance
}
