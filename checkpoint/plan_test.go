package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func planned(t *testing.T, dir storage.Dir, p retention.Policy, o *PlanOptions) *Plan {
	t.Helper()
	plan, err := PlanPrune(background(), dir, p, o)
	must(t, err)
	return plan
}

// told is a plan as it is printed.
func told(p *Plan) []string {
	var lines []string
	for _, c := range p.Checkpoints {
		lines = append(lines, fmt.Sprintf("%s %v: %s", c.Path, c.Fate, c.Reason))
	}
	return lines
}

// TestAPlanJudgesEachNameByItself, what was preserved included, and leaves
// alone what no manager wrote unless it is asked to.
func TestAPlanJudgesEachNameByItself(t *testing.T) {
	dir, now := savedBy(t, ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: time.Second}, 3), at(2000)
	c, _ := one(1)
	other := newManager(t, c, dir, &ManagerOptions{CheckpointName: "other", Now: now.tick})
	mustSave(t, other, nil)
	mustSave(t, other, nil)
	for _, p := range []string{"mine", "own-1"} {
		must(t, c.Write(background(), dir, p))
	}
	must(t, Pin(background(), dir, "ckpt-1", "table 2"))
	plan := planned(t, dir, retention.Latest(1), nil)
	want := []string{
		"ckpt-1 retain: pinned: table 2", "ckpt-2 remove: older than the latest", "ckpt-3 keep: latest 1 of 1",
		"other-1 remove: older than the latest", "other-2 keep: latest 1 of 1",
	}
	wantPaths(t, "plan", told(plan), want...)
	wantPaths(t, "plan of one name", told(planned(t, dir, retention.Latest(1), &PlanOptions{Name: "other"})), want[3:]...)
	all := told(planned(t, dir, retention.Latest(0), &PlanOptions{Foreign: true}))
	if !contains(all, "own-1 keep: newest checkpoint: never removed") || len(all) != 6 {
		t.Errorf("plan of all = %q", all)
	}
	must(t, plan.Do(background()))
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-3", "mine", "other-2", "own-1")
	wantPaths(t, "listed", readState(t, dir).AllModelCheckpointPaths, "ckpt-3", "other-2")
}

// TestWhatIsDoneIsThePlan: on random directories, with random policies.
//
// Proves D12.
func TestWhatIsDoneIsThePlan(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir, now := mem.Dir(), at(1e6)
		c, _ := one(1)
		m, err := NewManager(background(), c, dir, &ManagerOptions{Now: now.now})
		if err != nil {
			r.Fatal(err)
		}
		for i := range rapid.IntRange(0, 12).Draw(r, "saves") {
			now.add(time.Duration(rapid.IntRange(-1, 40).Draw(r, "hours")) * time.Hour)
			step := int64(i)
			o := &SaveOptions{Step: &step, Metrics: map[string]float64{"loss": float64(rapid.IntRange(0, 5).Draw(r, "loss"))}}
			o.Pin = rapid.SampledFrom([]string{"", "", "pin"}).Draw(r, "pin")
			o.Tags = rapid.SampledFrom([][]string{nil, {"a"}}).Draw(r, "tags")
			if _, err := m.Save(background(), o); err != nil {
				r.Fatal(err)
			}
		}
		if err := m.Close(background()); err != nil {
			r.Fatal(err)
		}
		policy := somePolicy(r, 2)
		plan, err := PlanPrune(background(), dir, policy, nil)
		if err != nil {
			r.Fatal(err)
		}
		before := onDisk(t, dir)
		var stay []string
		for _, c := range plan.Checkpoints {
			if c.Fate != retention.Remove {
				stay = append(stay, c.Path)
			} else if c.Pinned != "" || c.Floor {
				r.Fatalf("the plan removes %+v", c)
			}
		}
		if len(plan.Checkpoints) != len(before) {
			r.Fatalf("plan %q is about %q", told(plan), before)
		}
		if err := plan.Do(background()); err != nil {
			r.Fatal(err)
		}
		if got := onDisk(t, dir); !slices.Equal(got, stay) {
			r.Fatalf("on disk are %q, the plan was %q", got, told(plan))
		}
		// What a manager with the policy finds is what was left.
		m, err = NewManager(background(), c, dir, &ManagerOptions{Retention: policy, Now: now.now})
		if err != nil {
			r.Fatal(err)
		}
		if got := m.Checkpoints(); !slices.Equal(got, stay) {
			r.Fatalf("Checkpoints() = %q, want %q", got, stay)
		}
	})
}

func somePolicy(t *rapid.T, depth int) retention.Policy {
	n := rapid.IntRange(0, 6).Draw(t, "n")
	kind := rapid.IntRange(0, 8).Draw(t, "kind")
	if depth > 0 && kind >= 7 {
		a, b := somePolicy(t, depth-1), somePolicy(t, depth-1)
		if kind == 7 {
			return retention.Any(a, b)
		}
		return retention.All(a, b)
	}
	return []retention.Policy{
		retention.Latest(n), retention.Best(n, retention.Lowest("loss")), retention.Daily(n, nil), retention.EverySteps(int64(n)),
		retention.Within(time.Duration(n) * 24 * time.Hour), retention.MaxBytes(int64(n) * 700), retention.Tagged("a"),
		retention.Weekly(n, nil), retention.Best(n, retention.Highest("loss")),
	}[kind]
}

// TestAnOldPlanIsNotDone: whatever has happened since, nothing is removed.
func TestAnOldPlanIsNotDone(t *testing.T) {
	for what, happens := range map[string]func(dir storage.Dir) error{
		"a pin": func(dir storage.Dir) error { return Pin(background(), dir, "ckpt-1", "late") },
		"a lease": func(dir storage.Dir) error {
			_, err := TakeLease(background(), dir, "ckpt-1", nil)
			return err
		},
		"a save": func(dir storage.Dir) error {
			c, _ := one(1)
			m, err := NewManager(background(), c, dir, nil)
			if err == nil {
				_, err = m.Save(background(), nil)
			}
			if err == nil {
				err = m.Close(background())
			}
			return err
		},
		"a removal of another":  func(dir storage.Dir) error { return Remove(background(), dir, "ckpt-3") },
		"a removal of a victim": func(dir storage.Dir) error { return Remove(background(), dir, "ckpt-1") },
	} {
		dir := savedBy(t, ManagerOptions{}, 3)
		plan := planned(t, dir, retention.Latest(1), nil)
		must(t, happens(dir))
		before := listing(t, dir)
		if err := plan.Do(background()); !errors.Is(err, ErrPlanChanged) {
			t.Errorf("after %s Do() = %v, want ErrPlanChanged", what, err)
		}
		if got := listing(t, dir); !slices.Equal(got, before) {
			t.Errorf("after %s Do() left %q of %q", what, got, before)
		}
	}
}

// TestTheNewestVerifiedStays: the newest is broken, the one before rejected.
func TestTheNewestVerifiedStays(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 4)
	writeFile(t, dir, "ckpt-4.data-00000-of-00001", "")
	must(t, Reject(background(), dir, "ckpt-3", "diverged"))
	wantPaths(t, "plan", told(planned(t, dir, retention.Latest(0), nil)),
		"ckpt-1 remove: none is kept for being the latest", "ckpt-2 retain: newest verified checkpoint: never removed",
		"ckpt-3 remove: none is kept for being the latest", "ckpt-4 keep: newest checkpoint: never removed")
}

// TestTheLatestStays though a higher number is there.
func TestTheLatestStays(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 3)
	for i := range 3 {
		remove(t, dir, ReceiptName(filename.Numbered("ckpt", int64(i+1))))
	}
	must(t, WriteState(background(), dir, State{ModelCheckpointPath: "ckpt-2"}))
	wantPaths(t, "plan", told(planned(t, dir, retention.Latest(1), &PlanOptions{Foreign: true})),
		"ckpt-1 remove: older than the latest", "ckpt-2 keep: the latest by the state file: never removed", "ckpt-3 keep: latest 1 of 1")
}

func TestAPlanOfNothing(t *testing.T) {
	dir := local.Dir(t.TempDir() + "/missing")
	plan := planned(t, dir, retention.Latest(1), nil)
	if len(plan.Checkpoints) != 0 {
		t.Errorf("plan = %q", told(plan))
	}
	if _, err := ReadState(background(), dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
