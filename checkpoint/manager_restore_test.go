package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestFallbackPassesOverWhatIsBroken(t *testing.T) {
	for _, d := range damages {
		if d.name == "receipt is broken" || d.name == "data file grew" || d.name == "index of another generation" || d.name == "index is gone" {
			continue // a restore does not see these, or the manager has seen them before it
		}
		dir := trained(t, []float64{1, 2, 3}, []float64{1, 2, 3})
		c, v := one(0)
		log, told := logged()
		m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Fallback: true, Logger: log})
		d.do(t, dir, "ckpt-3")
		path, err := m.RestoreOrInitialize(background())
		if path != "ckpt-2" || err != nil || v.Value[0] != 2 || len(m.PassedOver()) != 1 || !errors.Is(m.PassedOver()[0].Err, d.want) {
			t.Errorf("%s: RestoreOrInitialize() = %q, %v, passed over %v, want ckpt-2", d.name, path, err, m.PassedOver())
		}
		wantWarning(t, told, "path=ckpt-3")
		if got := mustSave(t, m, nil); got != "ckpt-4" {
			t.Errorf("%s: Save() after it = %q, want ckpt-4", d.name, got)
		}
		// Unasked it is an error, as it was.
		d.do(t, dir, "ckpt-4")
		m = newManager(t, c, dir, &ManagerOptions{Now: at(3000).tick})
		if path, err := m.RestoreOrInitialize(background()); d.want == format.ErrCorrupt && !errors.Is(err, d.want) {
			t.Errorf("%s: RestoreOrInitialize() without Fallback = %q, %v, want %v", d.name, path, err, d.want)
		}
	}
}

func TestDamageSaysThatThereIsFallback(t *testing.T) {
	dir := trained(t, []float64{1, 2}, []float64{1, 2})
	flipMiddle(t, dir, "ckpt-2.index")
	c, _ := one(0)
	_, err := newManager(t, c, dir, nil).RestoreOrInitialize(background())
	if err == nil || !strings.HasSuffix(err.Error(), " (ManagerOptions.Fallback goes back to the one before)") {
		t.Errorf("RestoreOrInitialize() = %v, want a word about Fallback", err)
	}
}

func TestBrokenAndRejectedMixed(t *testing.T) {
	dir := trained(t, []float64{1, 2, 7, 4, 9, 6}, []float64{1, 2, 3, 4, 5, 6})
	flipMiddle(t, dir, dataOf("ckpt-6"))
	remove(t, dir, dataOf("ckpt-4"))
	c, v := one(0)
	o := ManagerOptions{Now: at(2000).tick, Validate: lossIs(v)}
	m := newManager(t, c, dir, &o)
	if path, err := m.RestoreOrInitialize(background()); path != "" || !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("RestoreOrInitialize() = %q, %v, want the damage of ckpt-6", path, err)
	}
	o.Fallback = true
	m = newManager(t, c, dir, &o)
	path, err := m.RestoreOrInitialize(background())
	if path != "ckpt-2" || err != nil || v.Value[0] != 2 {
		t.Errorf("RestoreOrInitialize() = %q, %v, v = %v, want ckpt-2", path, err, v.Value[0])
	}
	wantPaths(t, "PassedOver()", passedPaths(m), "ckpt-6", "ckpt-5", "ckpt-4", "ckpt-3")
	for p, want := range map[string]bool{"ckpt-6": false, "ckpt-5": true, "ckpt-4": false, "ckpt-3": true, "ckpt-2": false} {
		if got := rejectedOf(t, dir, p); (got != "") != want {
			t.Errorf("Rejected of %s = %q, want a mark: %v", p, got, want)
		}
	}
	if got := mustSave(t, m, nil); got != "ckpt-7" {
		t.Errorf("Save() = %q, want ckpt-7", got)
	}
}

func TestAnotherModelsCheckpointIsNotPassedOver(t *testing.T) {
	dir := trained(t, []float64{1, 2}, []float64{1, 2})
	c := New(nil, Objects{"w": variable(1)}, nil)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Fallback: true})
	if path, err := m.RestoreOrInitialize(background()); err == nil || len(m.PassedOver()) != 0 {
		t.Errorf("RestoreOrInitialize() = %q, %v, passed over %v, want an error about ckpt-2", path, err, m.PassedOver())
	}
}

func TestPreservedCheckpointsAreFallenBackTo(t *testing.T) {
	dir := trained(t, []float64{1, 2, 3}, []float64{1, 2, 3})
	writeState(t, dir, func(s *State) { // only the last is managed
		s.AllModelCheckpointPaths, s.AllModelCheckpointTimestamps = nil, nil
		s.AllModelCheckpointTimestamps = s.AllModelCheckpointTimestamps[:0]
	})
	flipMiddle(t, dir, dataOf("ckpt-3"))
	c, _ := one(0)
	if err := c.Write(background(), dir, "other-9"); err != nil {
		t.Fatal(err)
	}
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Fallback: true})
	if path, err := m.RestoreOrInitialize(background()); path != "ckpt-2" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want ckpt-2", path, err)
	}
}

// restoredTogether is what each of several workers has restored: bad says
// what a worker's own validation thinks of the value.
func restoredTogether(t *testing.T, dir storage.Dir, o ManagerOptions, bad func(rank int, value float32) error) (paths []string, errs []error, managers []*Manager) {
	t.Helper()
	const n = 3
	paths, managers = make([]string, n), make([]*Manager, n)
	errs = team(n, func(g coordinator.Group) error {
		x := variable(0)
		o := o
		o.Now = at(2000).now
		if bad != nil {
			o.Validate = &Validation{Run: func(context.Context) (map[string]float64, error) { return nil, bad(g.Rank(), x.Value[0]) }}
		}
		m, err := NewManager(background(), New(nil, Objects{"v": x}, &Options{Workers: g}), dir, &o)
		if err != nil {
			return err
		}
		managers[g.Rank()] = m
		paths[g.Rank()], err = m.RestoreOrInitialize(background())
		return err
	})
	return paths, errs, managers
}

func TestWorkersPassOverTogether(t *testing.T) {
	dir := trained(t, []float64{1, 2, 3}, []float64{1, 2, 3})
	paths, errs, managers := restoredTogether(t, dir, ManagerOptions{}, func(rank int, value float32) error {
		if rank == 1 && value == 3 {
			return fmt.Errorf("%w: worker 1 does not like it", ErrRejected)
		}
		return nil
	})
	for rank, path := range paths {
		if path != "ckpt-2" || errs[rank] != nil || len(managers[rank].PassedOver()) != 1 {
			t.Errorf("worker %d restored %q, %v, passed over %v, want ckpt-2", rank, path, errs[rank], managers[rank].PassedOver())
		}
	}
	if got := rejectedOf(t, dir, "ckpt-3"); got != "worker 1 does not like it" {
		t.Errorf("Rejected = %q, want worker 1's reason", got)
	}
	// What one finds broken: a file of its own, say.
	flipMiddle(t, dir, dataOf("ckpt-2"))
	paths, errs, _ = restoredTogether(t, dir, ManagerOptions{Fallback: true}, nil)
	for rank, path := range paths {
		if path != "ckpt-1" || errs[rank] != nil {
			t.Errorf("worker %d restored %q, %v, want ckpt-1", rank, path, errs[rank])
		}
	}
	_, errs, _ = restoredTogether(t, dir, ManagerOptions{Fallback: true}, func(rank int, _ float32) error {
		if rank == 2 {
			return errDisk
		}
		return nil
	})
	for rank, err := range errs {
		if err == nil || !strings.Contains(err.Error(), errDisk.Error()) {
			t.Errorf("worker %d = %v, want the error of worker 2", rank, err)
		}
	}
	_, errs, _ = restoredTogether(t, mem.Dir(), ManagerOptions{Fallback: true}, nil)
	for rank, err := range errs {
		if err != nil {
			t.Errorf("worker %d with nothing to restore = %v, want nil", rank, err)
		}
	}
}

func TestOnlyTheWorkerThatLeadsMarks(t *testing.T) {
	dir := trained(t, []float64{1, 2}, []float64{1, 2})
	did := make([]tracer, 2)
	mustTeam(t, 2, func(g coordinator.Group) error {
		c := New(nil, Objects{"v": variable(0)}, &Options{Workers: g})
		m, err := NewManager(background(), c, storage.WithTrace(dir, did[g.Rank()].tell), &ManagerOptions{
			Validate: &Validation{Run: func(context.Context) (map[string]float64, error) {
				return map[string]float64{"loss": 1}, nil
			}}})
		if err == nil {
			_, err = m.RestoreOrInitialize(background())
		}
		return err
	})
	for rank, marks := range []bool{true, false} {
		if text := did[rank].take(""); strings.Contains(text, "\nlock ") != marks {
			t.Errorf("worker %d did\n%s, want it to mark: %v", rank, text, marks)
		}
	}
	if rejectedOf(t, dir, "ckpt-2") == "" {
		t.Error("ckpt-2 has no mark")
	}
}

func TestAWorkerThatFindsNothingIsTold(t *testing.T) {
	var all sync.WaitGroup
	ctx, cancel := context.WithTimeout(background(), 20*time.Second)
	defer cancel()
	errs := make([]error, 2)
	for rank, g := range coordinator.InProcess(2) {
		dir := trained(t, []float64{1}[:rank], []float64{1}[:rank])
		all.Go(func() {
			c := New(nil, Objects{"v": variable(0)}, &Options{Workers: g})
			m, err := NewManager(ctx, c, dir, &ManagerOptions{Now: at(2000).now, Fallback: true})
			if err == nil {
				_, err = m.RestoreOrInitialize(ctx)
			}
			errs[rank] = err
		})
	}
	all.Wait()
	for rank, want := range []string{`restore "": worker 1 has "ckpt-1"`, `restore "ckpt-1": worker 0 has ""`} {
		if errs[rank] == nil || errs[rank].Error() != want {
			t.Errorf("worker %d = %v, want %s", rank, errs[rank], want)
		}
	}
}

func TestWorkersThatFindDifferentCheckpointsAreTold(t *testing.T) {
	var all sync.WaitGroup
	errs := make([]error, 2)
	for rank, g := range coordinator.InProcess(2) {
		dir := trained(t, []float64{1, 2}[:rank+1], []float64{1, 2}[:rank+1])
		all.Go(func() {
			c := New(nil, Objects{"v": variable(0)}, &Options{Workers: g})
			m, err := NewManager(background(), c, dir, &ManagerOptions{Now: at(2000).now, Fallback: true})
			if err == nil {
				_, err = m.RestoreOrInitialize(background())
			}
			errs[rank] = err
		})
	}
	all.Wait()
	for rank, err := range errs {
		if want := fmt.Sprintf(`restore "ckpt-%d": worker %d has "ckpt-%d"`, rank+1, 1-rank, 2-rank); err == nil || err.Error() != want {
			t.Errorf("worker %d = %v, want %s", rank, err, want)
		}
	}
}
