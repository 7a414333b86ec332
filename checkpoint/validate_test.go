package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// trained returns a directory of checkpoints ckpt-1, ckpt-2 and so on whose
// variable holds values[i] and whose receipt says the metric "loss" is
// losses[i].
func trained(t *testing.T, values, losses []float64) storage.Dir {
	t.Helper()
	dir := mem.Dir()
	c, v := one(0)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	for i := range values {
		v.Value[0] = float32(values[i])
		mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": losses[i]}})
	}
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lossIs validates that the variable is what the receipt calls loss.
func lossIs(v *variableF) *Validation {
	return &Validation{Run: func(context.Context) (map[string]float64, error) {
		return map[string]float64{"loss": float64(v.Value[0])}, nil
	}}
}

func passedPaths(m *Manager) []string {
	var paths []string
	for _, b := range m.PassedOver() {
		paths = append(paths, b.Path)
	}
	return paths
}

func rejectedOf(t *testing.T, dir storage.Dir, path string) string {
	t.Helper()
	r, err := ReadReceipt(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	return r.Rejected
}

func TestARestoreThatFailsValidationIsMarkedAndTheOneBeforeTried(t *testing.T) {
	dir := trained(t, []float64{1, 2, 7, 8}, []float64{1, 2, 3, 4})
	log, told := logged()
	c, v := one(0)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Logger: log, Validate: lossIs(v), MaxToKeep: 9})
	path, err := m.RestoreOrInitialize(background())
	if path != "ckpt-2" || err != nil || v.Value[0] != 2 {
		t.Fatalf("RestoreOrInitialize() = %q, %v, v = %v, want ckpt-2 and 2", path, err, v.Value[0])
	}
	wantPaths(t, "PassedOver()", passedPaths(m), "ckpt-4", "ckpt-3")
	want := "loss is 8, was 4 when it was saved"
	if got := rejectedOf(t, dir, "ckpt-4"); got != want {
		t.Errorf("Rejected = %q, want %q", got, want)
	}
	wantWarning(t, told, "validate ckpt-4: rejected: "+want)
	// It neither overwrites what it passed over nor counts below it.
	if got := mustSave(t, m, nil); got != "ckpt-5" || c.SaveCounter() != 5 {
		t.Errorf("Save() after falling back = %q, counter %d, want ckpt-5", got, c.SaveCounter())
	}
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4", "ckpt-5")
}

func TestRejectedCheckpointsAreNotTriedAgainAfterARestart(t *testing.T) {
	dir := trained(t, []float64{1, 2, 3, 7}, []float64{1, 2, 3, 4})
	for range 3 {
		c, v := one(0)
		runs := 0
		check := lossIs(v)
		run := check.Run
		check.Run = func(ctx context.Context) (map[string]float64, error) { runs++; return run(ctx) }
		m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Validate: check})
		first := rejectedOf(t, dir, "ckpt-4") == ""
		path, err := m.RestoreOrInitialize(background())
		if want := map[bool]int{true: 2, false: 1}[first]; path != "ckpt-3" || err != nil || runs != want {
			t.Errorf("RestoreOrInitialize() = %q, %v after %d validations, want ckpt-3 after %d", path, err, runs, want)
		}
	}
	// Without Validate the mark holds as well.
	c, v := one(0)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick})
	if path, err := m.RestoreOrInitialize(background()); path != "ckpt-3" || err != nil || v.Value[0] != 3 {
		t.Errorf("RestoreOrInitialize() without Validate = %q, %v, want ckpt-3", path, err)
	}
	if b := m.PassedOver(); len(b) != 1 || !errors.Is(b[0].Err, ErrRejected) {
		t.Errorf("PassedOver() = %v, want ckpt-4 as rejected", b)
	}
	path, passed, err := LatestValid(background(), dir, nil)
	if path != "ckpt-3" || err != nil || len(passed) != 1 || !errors.Is(passed[0].Err, ErrRejected) {
		t.Errorf("LatestValid() = %q, %v, %v, want ckpt-3", path, passed, err)
	}
	if path, err := Latest(background(), dir); path != "ckpt-4" || err != nil {
		t.Errorf("Latest() = %q, %v, want ckpt-4, as the state file says", path, err)
	}
	// The mark can be taken away.
	if err := Reject(background(), dir, "ckpt-4", ""); err != nil {
		t.Fatal(err)
	}
	if path, _, err := LatestValid(background(), dir, nil); path != "ckpt-4" || err != nil {
		t.Errorf("LatestValid() without the mark = %q, %v, want ckpt-4", path, err)
	}
}

func TestNoneThatPassesValidationIsAnError(t *testing.T) {
	dir := trained(t, []float64{5, 6}, []float64{1, 2})
	c, v := one(0)
	initialized := false
	o := &ManagerOptions{Now: at(2000).tick, Validate: lossIs(v),
		InitFn: func(context.Context) error { initialized = true; return nil }}
	m := newManager(t, c, dir, o)
	path, err := m.RestoreOrInitialize(background())
	if path != "" || !errors.Is(err, ErrNoneValid) || errors.Is(err, fs.ErrNotExist) || initialized {
		t.Errorf("RestoreOrInitialize() = %q, %v, initialized %v, want ErrNoneValid", path, err, initialized)
	}
	want := "the objects hold the values of ckpt-1: restore: no checkpoint is valid, of 2:\n" +
		"\tckpt-2: validate ckpt-2: rejected: loss is 6, was 2 when it was saved\n" +
		"\tckpt-1: validate ckpt-1: rejected: loss is 5, was 1 when it was saved"
	if err == nil || err.Error() != want || v.Value[0] != 5 {
		t.Errorf("RestoreOrInitialize() = %v, v = %v, want\n%s", err, v.Value[0], want)
	}
	// The next start does not even restore.
	v.Value[0] = 0
	_, err = newManager(t, c, dir, o).RestoreOrInitialize(background())
	if !errors.Is(err, ErrNoneValid) || strings.Contains(err.Error(), "hold") || v.Value[0] != 0 {
		t.Errorf("RestoreOrInitialize() = %v, v = %v, want ErrNoneValid and 0", err, v.Value[0])
	}
}

func TestMetricsAgreeWithinTheTolerance(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		t         Tolerance
		got, want float64
		agrees    bool
	}{
		{Tolerance{}, 1.009, 1, true},
		{Tolerance{}, 1.011, 1, false},
		{Tolerance{}, -0.991, -1, true},
		{Tolerance{}, 1, -1, false},
		{Tolerance{}, 5e-7, 0, true},
		{Tolerance{}, 2e-6, 0, false},
		{Tolerance{Relative: 0.1}, 109, 100, true},
		{Tolerance{Relative: 0.1}, 111, 100, false},
		{Tolerance{Relative: 0.1}, 1e-9, 0, false},
		{Tolerance{Absolute: 5}, 104, 100, true},
		{Tolerance{Absolute: 5}, 106, 100, false},
		{Tolerance{Absolute: 5, Relative: 0.1}, 108, 100, true},
		{Tolerance{Absolute: 5, Relative: 0.1}, 112, 100, false},
		{Tolerance{}, nan, 1, false},
		{Tolerance{}, 1, nan, false},
		{Tolerance{}, nan, nan, true},
		{Tolerance{}, inf, inf, true},
		{Tolerance{}, inf, -inf, false},
		{Tolerance{}, inf, 1, false},
		{Tolerance{Relative: 1}, 1, inf, false},
	} {
		if got := c.t.agrees(c.got, c.want); got != c.agrees {
			t.Errorf("%+v.agrees(%v, %v) = %v, want %v", c.t, c.got, c.want, got, c.agrees)
		}
	}
}

func TestEachMetricHasItsTolerance(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick})
	mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": 1, "acc": 0.5, "trained only": 3}})
	for _, run := range []struct {
		metrics map[string]float64
		passes  bool
	}{
		{map[string]float64{"loss": 1.4, "acc": 0.5}, true},
		{map[string]float64{"loss": 1.6, "acc": 0.5}, false},
		{map[string]float64{"loss": 1, "acc": 0.4}, false},
		{map[string]float64{"loss": math.NaN(), "acc": 0.5}, false},
		{map[string]float64{"acc": 0.52}, true},
		{map[string]float64{"acc": 0.5, "new": 9}, true}, // what the receipt lacks is not compared
	} {
		if err := Reject(background(), dir, "ckpt-1", ""); err != nil {
			t.Fatal(err)
		}
		m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick, Validate: &Validation{
			Run:        func(context.Context) (map[string]float64, error) { return run.metrics, nil },
			Tolerance:  Tolerance{Absolute: 0.03},
			Tolerances: map[string]Tolerance{"loss": {Absolute: 0.5}},
		}})
		if path, err := m.RestoreOrInitialize(background()); (err == nil) != run.passes || (path == "ckpt-1") != run.passes {
			t.Errorf("RestoreOrInitialize() with %v = %q, %v, want it to pass: %v", run.metrics, path, err, run.passes)
		}
	}
}

func TestWithoutMetricsToCompareValidationWarns(t *testing.T) {
	for name, change := range map[string]func(dir storage.Dir){
		"no metrics":     func(dir storage.Dir) { rewrite(t, dir, func(r *Receipt) { r.Metrics = nil }) },
		"other metrics":  func(dir storage.Dir) { rewrite(t, dir, func(r *Receipt) { r.Metrics = map[string]float64{"acc": 1} }) },
		"no receipt":     func(dir storage.Dir) { remove(t, dir, "ckpt-1.receipt.json") },
		"broken receipt": func(dir storage.Dir) { writeFile(t, dir, "ckpt-1.receipt.json", "?") },
	} {
		dir := trained(t, []float64{7}, []float64{1})
		change(dir)
		log, told := logged()
		c, v := one(0)
		m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Logger: log, Validate: lossIs(v)})
		if path, err := m.RestoreOrInitialize(background()); path != "ckpt-1" || err != nil {
			t.Errorf("%s: RestoreOrInitialize() = %q, %v, want ckpt-1", name, path, err)
		}
		wantWarning(t, told, "restored without validation")
	}
}

func rewrite(t *testing.T, dir storage.Dir, change func(*Receipt)) {
	t.Helper()
	r, err := ReadReceipt(background(), dir, "ckpt-1")
	if err != nil {
		t.Fatal(err)
	}
	change(&r)
	if err := WriteReceipt(background(), dir, "ckpt-1", r); err != nil {
		t.Fatal(err)
	}
}

func TestAnErrorOfTheValidationItself(t *testing.T) {
	dir := trained(t, []float64{1, 2}, []float64{1, 2})
	c, v := one(0)
	ctx, cancel := context.WithCancel(background())
	stop := func() {}
	run := func(answer error) (*Manager, string, error) {
		m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick,
			Validate: &Validation{Run: func(context.Context) (map[string]float64, error) {
				if stop(); v.Value[0] == 2 {
					return nil, answer
				}
				return nil, nil
			}}})
		path, err := m.RestoreOrInitialize(ctx)
		return m, path, err
	}
	if _, path, err := run(errDisk); path != "" || !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "hold the values of ckpt-2") {
		t.Errorf("RestoreOrInitialize() = %q, %v, want Run's error", path, err)
	}
	if got := rejectedOf(t, dir, "ckpt-2"); got != "" {
		t.Errorf("Rejected = %q, want no mark for an error that says nothing about the checkpoint", got)
	}
	if m, path, err := run(fmt.Errorf("%w: it writes nonsense", ErrRejected)); path != "ckpt-1" || err != nil || len(m.PassedOver()) != 1 {
		t.Errorf("RestoreOrInitialize() = %q, %v, want ckpt-1", path, err)
	}
	if got := rejectedOf(t, dir, "ckpt-2"); got != "it writes nonsense" {
		t.Errorf("Rejected = %q, want the reason", got)
	}
	if err := Reject(background(), dir, "ckpt-2", ""); err != nil {
		t.Fatal(err)
	}
	stop = cancel // while it runs
	if m, _, err := run(ErrRejected); !errors.Is(err, context.Canceled) || errors.Is(err, ErrRejected) || len(m.PassedOver()) != 0 {
		t.Errorf("RestoreOrInitialize(cancelled) = %v, passed over %v, want context.Canceled", err, m.PassedOver())
	}
	if got := rejectedOf(t, dir, "ckpt-2"); got != "" {
		t.Errorf("Rejected = %q, want no mark by a validation that was interrupted", got)
	}
}

func TestRejectOfWhatHasNoReceipt(t *testing.T) {
	for _, receipt := range []string{"", "broken"} {
		dir := trained(t, []float64{1, 2}, []float64{1, 2})
		remove(t, dir, "ckpt-2.receipt.json")
		if err := Reject(background(), dir, "ckpt-2", ""); err != nil || contains(listing(t, dir), "ckpt-2.receipt.json") {
			t.Errorf("Reject() without reason where there is no receipt = %v, want nil and still none", err)
		}
		if receipt != "" {
			writeFile(t, dir, "ckpt-2.receipt.json", receipt)
		}
		if err := Reject(background(), dir, "ckpt-2", "bad"); err != nil {
			t.Fatal(err)
		}
		if path, passed, err := LatestValid(background(), dir, nil); path != "ckpt-1" || err != nil || !errors.Is(passed[0].Err, ErrRejected) {
			t.Errorf("LatestValid() = %q, %v, %v, want ckpt-1", path, passed, err)
		}
		list, err := List(background(), dir, &ListOptions{Receipts: true})
		if err != nil || list[1].Receipt == nil || list[1].Receipt.Rejected != "bad" || list[1].Receipt.Time.IsZero() {
			t.Errorf("List() = %+v, %v, want the mark and a time", list, err)
		}
	}
	if err := Reject(background(), mem.Dir(), "ckpt-1", "bad"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reject() of nothing = %v, want fs.ErrNotExist", err)
	}
}

func TestRejectOfAV1CheckpointKeepsItsTime(t *testing.T) {
	dir := mem.Dir()
	v1(t, dir, "saver", "model.ckpt-5")
	before, err := List(background(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Reject(background(), dir, "model.ckpt-5", "bad"); err != nil {
		t.Fatal(err)
	}
	list, err := List(background(), dir, &ListOptions{Receipts: true})
	if err != nil || len(list) != 1 || !list[0].Time.Equal(before[0].Time) {
		t.Errorf("List() = %+v, %v, want the time %v", list, err, before[0].Time)
	}
}

func TestACheckpointThatCannotBeMarkedIsPassedOverAllTheSame(t *testing.T) {
	dir := trained(t, []float64{1, 7}, []float64{1, 2})
	readOnly := &failing{dir, func(op, name string) error {
		if op == "create" {
			return errDisk
		}
		return nil
	}}
	log, told := logged()
	c, v := one(0)
	m := newManager(t, c, readOnly, &ManagerOptions{Now: at(2000).tick, Logger: log, Validate: lossIs(v)})
	if path, err := m.RestoreOrInitialize(background()); path != "ckpt-1" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want ckpt-1", path, err)
	}
	wantWarning(t, told, "could not be marked")
}

func TestValidationsThatMakeNoSenseAreRefused(t *testing.T) {
	run := func(context.Context) (map[string]float64, error) { return nil, nil }
	for _, v := range []*Validation{
		{},
		{Run: run, Tolerance: Tolerance{Relative: -1}},
		{Run: run, Tolerance: Tolerance{Absolute: math.NaN()}},
		{Run: run, Tolerances: map[string]Tolerance{"loss": {Absolute: math.Inf(1)}}},
	} {
		c, _ := one(1)
		if _, err := NewManager(background(), c, mem.Dir(), &ManagerOptions{Validate: v}); err == nil {
			t.Errorf("NewManager with %+v = nil, want an error", v)
		}
	}
}

func TestPassedOverIsTheCallersCopy(t *testing.T) {
	m := &Manager{passed: []Broken{{Path: "a"}}}
	m.PassedOver()[0].Path = "b"
	if !slices.Equal(passedPaths(m), []string{"a"}) {
		t.Error("PassedOver() shares the manager's memory")
	}
}
