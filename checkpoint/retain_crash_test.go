package checkpoint

import (
	"testing"

	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// TestCrashesLoseNothingThatAPolicyKeeps: whenever the process dies, the next
// one finds the best, listed or not, whole, and goes on with the same rules.
func TestCrashesLoseNothingThatAPolicyKeeps(t *testing.T) {
	before, after := []float64{0.3, 0.5, 0.9}, []float64{0.2, 0.4, 0.1, 0.7}
	save := func(dir storage.Dir, losses []float64, now *clock, done func()) error {
		c, _ := one(1)
		m, err := NewManager(background(), c, dir, &ManagerOptions{Retention: bestTwo(), Now: now.tick})
		for _, loss := range losses {
			if err == nil {
				_, err = m.Save(background(), &SaveOptions{Metrics: map[string]float64{"loss": loss}})
			}
			if err == nil {
				done()
			}
		}
		return err
	}
	prepare := func(dir storage.Dir) { must(t, save(dir, before, at(1000), func() {})) }
	run := func(dir storage.Dir, done func()) {
		// That it dies is what it is for; m.died tells.
		_ = save(dir, after, at(2000), done)
	}
	cut(t, prepare, run, func(t *testing.T, left storage.Dir, done int) {
		best := 1.0
		for _, loss := range append(before, after[:done]...) {
			best = min(best, loss)
		}
		now := at(3000)
		c, _ := one(1)
		m := newManager(t, c, left, &ManagerOptions{Retention: bestTwo(), Now: now.tick})
		wantBest := func() {
			t.Helper()
			found := 1.0
			disk := onDisk(t, left)
			for _, p := range m.Checkpoints() {
				if !contains(disk, p) {
					continue // being removed when the process died
				}
				if err := verifyWhole(background(), left, p); err != nil {
					t.Errorf("%s: %v", p, err)
				}
				found = min(found, receiptOf(t, left, p).Metrics["loss"])
			}
			if found > best {
				t.Errorf("the best of %v has %v, want %v", m.Checkpoints(), found, best)
			}
		}
		wantBest()
		saveLosses(t, m, 0.8)
		wantBest()
		wantPaths(t, "on disk after another save", onDisk(t, left), m.Checkpoints()...)
		if n := len(m.Checkpoints()); n > 4 {
			t.Errorf("%d checkpoints stay, want at most two of the latest and two of the best", n)
		}
	})
}

// TestWhoseOverwritingWasCutIsJudgedAsItIs: the receipt of what was to replace
// a checkpoint is there before the rest, and then the old one counts: neither a
// manager nor a plan may take it for the new one, which is not the best, nor
// pinned.
//
// Proves D4, D9.
func TestWhoseOverwritingWasCutIsJudgedAsItIs(t *testing.T) {
	policy := retention.Any(retention.Latest(2), retention.Best(1, retention.Lowest("loss")))
	best := retention.Any(retention.Latest(1), retention.Best(1, retention.Lowest("loss")))
	for pin, planned := range map[string]retention.Policy{"": best, "mine": retention.Latest(1)} {
		save := func(m *Manager, loss float64, n int64, pin string) error {
			_, err := m.Save(background(), &SaveOptions{Metrics: map[string]float64{"loss": loss}, CheckpointNumber: &n, Pin: pin})
			return err
		}
		prepare := func(dir storage.Dir) {
			c, _ := one(1)
			m := newManager(t, c, dir, &ManagerOptions{Retention: policy})
			must(t, save(m, 1, 1, pin))
			must(t, save(m, 5, 2, ""))
		}
		run := func(dir storage.Dir, done func()) {
			c, _ := one(9)
			m, err := NewManager(background(), c, dir, &ManagerOptions{Retention: policy})
			if err == nil && save(m, 9, 1, "") == nil {
				done()
			}
			_ = m.Close(background()) // dead or not
		}
		cut(t, prepare, run, func(t *testing.T, left storage.Dir, done int) {
			old := value(t, left, "ckpt-1") == 1
			if plan, err := PlanPrune(background(), left, planned, nil); err != nil || old && len(plan.Removals()) > 0 {
				t.Errorf("PlanPrune() = %v, %v, want one that removes nothing", plan, err)
			}
			c, _ := one(3)
			must(t, save(newManager(t, c, left, &ManagerOptions{Retention: policy}), 7, 3, ""))
			if is := contains(onDisk(t, left), "ckpt-1"); old && !is {
				t.Error("ckpt-1, the best, is gone")
			}
			if old && value(t, left, "ckpt-1") != 1 {
				t.Error("ckpt-1 is another now")
			}
		})
	}
}
