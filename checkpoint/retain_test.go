package checkpoint

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/tfexact"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// saveLosses saves one checkpoint for each loss.
func saveLosses(t *testing.T, m *Manager, losses ...float64) {
	t.Helper()
	for _, loss := range losses {
		mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": loss}})
	}
}

func receiptOf(t *testing.T, dir storage.Dir, path string) Receipt {
	t.Helper()
	r, err := ReadReceipt(background(), dir, path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bestTwo() retention.Policy {
	return retention.Any(retention.Latest(2), retention.Best(2, retention.Lowest("loss")))
}

// TestWhatIsBestStaysUnlisted: on disk and with its reason, but not where a
// TensorFlow manager would find it to remove; and it survives the process.
func TestWhatIsBestStaysUnlisted(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	o := &ManagerOptions{Retention: bestTwo(), Now: now.tick}
	m := newManager(t, c, dir, o)
	saveLosses(t, m, 0.5, 0.2, math.NaN(), 0.9, 0.8)
	want := func(m *Manager, listed, all []string) {
		t.Helper()
		wantPaths(t, "listed", readState(t, dir).AllModelCheckpointPaths, listed...)
		wantPaths(t, "Checkpoints()", m.Checkpoints(), all...)
		wantPaths(t, "on disk", onDisk(t, dir), all...)
	}
	want(m, []string{"ckpt-4", "ckpt-5"}, []string{"ckpt-1", "ckpt-2", "ckpt-4", "ckpt-5"})
	for path, reason := range map[string]string{
		"ckpt-1": "best 2 of 2 by lowest loss: 0.5", "ckpt-2": "best 1 of 2 by lowest loss: 0.2", "ckpt-4": "", "ckpt-5": "",
	} {
		if got := receiptOf(t, dir, path).Retained; got != reason {
			t.Errorf("receipt of %s: retained for %q, want %q", path, got, reason)
		}
	}
	m = newManager(t, c, dir, o)
	want(m, []string{"ckpt-4", "ckpt-5"}, []string{"ckpt-1", "ckpt-2", "ckpt-4", "ckpt-5"})
	saveLosses(t, m, 0.1)
	want(m, []string{"ckpt-5", "ckpt-6"}, []string{"ckpt-2", "ckpt-5", "ckpt-6"})
	saveLosses(t, m, 0.3, 0.4)
	want(m, []string{"ckpt-7", "ckpt-8"}, []string{"ckpt-2", "ckpt-6", "ckpt-7", "ckpt-8"})
	if got := receiptOf(t, dir, "ckpt-2").Retained; got != "best 2 of 2 by lowest loss: 0.2" {
		t.Errorf("ckpt-2 is retained for %q, want its new rank", got)
	}
}

// TestNobodyRemovesWhatAnotherRuleKeeps: neither a TensorFlow manager that is
// at work later, nor one of ours that was given no policy.
func TestNobodyRemovesWhatAnotherRuleKeeps(t *testing.T) {
	for name, exactly := range map[string]tfexact.Mode{"TensorFlow's": tfexact.On(), "ours": {}} {
		dir, now := mem.Dir(), at(1000)
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Retention: bestTwo(), Now: now.tick})
		saveLosses(t, m, 0.1, 0.2, 0.3, 0.4)
		c = New(nil, Objects{"v": variable(1)}, &Options{Exactly: exactly})
		if _, err := c.Restore(background(), dir, "ckpt-4"); err != nil {
			t.Fatal(err)
		}
		later := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
		mustSave(t, later, nil)
		mustSave(t, later, nil)
		wantPaths(t, name+": on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-6")
		c, _ = one(1)
		m = newManager(t, c, dir, &ManagerOptions{Retention: bestTwo(), Now: now.tick})
		wantPaths(t, "Checkpoints() of ours again", m.Checkpoints(), "ckpt-1", "ckpt-2", "ckpt-6")
	}
}

// TestOnlyWhatAManagerWroteIsJudged: not what Save wrote under the same name,
// what was preserved for good, what another name has, and what is not whole.
func TestOnlyWhatAManagerWroteIsJudged(t *testing.T) {
	dir, now := savedBy(t, ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: time.Second}, 3), at(2000)
	c, _ := one(1)
	for _, p := range []string{"ckpt-20", "other-1"} {
		if err := c.Write(background(), dir, p); err != nil {
			t.Fatal(err)
		}
	}
	m := newManager(t, c, dir, &ManagerOptions{Retention: retention.Latest(1), Now: now.tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-20", "ckpt-22", "other-1")
}

// TestSizesSurviveARestart: a limit in bytes counts what an earlier process
// has saved, and of TensorFlow's own what is on disk.
func TestSizesSurviveARestart(t *testing.T) {
	for _, receipts := range []bool{true, false} {
		dir, now := savedBy(t, ManagerOptions{}, 4), at(2000)
		size := receiptOf(t, dir, "ckpt-1").checkpoint("", now.now()).Size
		for i := range 4 {
			if !receipts {
				remove(t, dir, ReceiptName(filename.Numbered("ckpt", int64(i+1))))
			}
		}
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{Retention: retention.MaxBytes(3*size + size/2), Now: now.tick})
		mustSave(t, m, nil)
		wantPaths(t, fmt.Sprintf("receipts %v: Checkpoints()", receipts), m.Checkpoints(), "ckpt-3", "ckpt-4", "ckpt-5")
	}
}

// TestTheOrderIsThatOfSaving: by the counter, whatever the clock said.
func TestTheOrderIsThatOfSaving(t *testing.T) {
	dir, now := mem.Dir(), at(5000)
	c, _ := one(1)
	o := &ManagerOptions{Retention: retention.Within(time.Hour), Now: now.tick}
	m := newManager(t, c, dir, o)
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	now.set(3000)
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(9)})
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(7)})
	want := []string{"ckpt-1", "ckpt-2", "ckpt-9", "ckpt-7"}
	wantPaths(t, "Checkpoints()", m.Checkpoints(), want...)
	now.set(6000)
	wantPaths(t, "Checkpoints() after a restart", newManager(t, c, dir, o).Checkpoints(), want...)
}

// TestAPolicyCostsTheSameHoweverMuchItKeeps extends
// TestSavesCostTheSameHoweverManyWereBefore.
func TestAPolicyCostsTheSameHoweverMuchItKeeps(t *testing.T) {
	var tr tracer
	dir := storage.WithTrace(mem.Dir(), tr.tell)
	c, _ := one(1)
	policy := retention.Any(retention.Latest(2), retention.EverySteps(10), retention.Daily(-1, nil))
	m := newManager(t, c, dir, &ManagerOptions{Retention: policy, Now: at(1000).tick})
	step := int64(0)
	wantSameCost(t, "Manager.Save with Retention", &tr, func() error {
		step++
		_, err := m.Save(background(), &SaveOptions{Step: &step})
		return err
	})
	if n := len(m.Checkpoints()); n < 20 {
		t.Errorf("%d checkpoints, want more than the policy lists", n)
	}
}

// TestALimitGoesOnLimitingWhatIsPreserved: under All, Every does not let go.
func TestALimitGoesOnLimitingWhatIsPreserved(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	policy := retention.All(retention.Any(retention.Latest(1), retention.Every(time.Second, time.Time{})), retention.MaxBytes(0))
	m := newManager(t, c, dir, &ManagerOptions{Retention: policy, Now: now.tick})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-3")
}

func TestAPolicyThatFailsIsToldAndRemovesNothing(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	policy := retention.PolicyFunc(func([]retention.Checkpoint) []retention.Verdict { panic("division by zero") })
	log, told := logged()
	m := newManager(t, c, dir, &ManagerOptions{Retention: policy, Now: now.tick, Logger: log})
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2")
	wantWarning(t, told, `msg="retention does not work" err="the policy failed, so nothing is removed: division by zero"`)
}

// TestRetainedOnADisk runs it where locks, batches and flushes are real.
func TestRetainedOnADisk(t *testing.T) {
	dir, now := local.Dir(t.TempDir()), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{Retention: bestTwo(), Now: now.tick})
	saveLosses(t, m, 0.1, 0.5, 0.2, 0.9, 0.8)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-3", "ckpt-4", "ckpt-5")
	if text := readFile(t, dir, filename.State); strings.Contains(text, "ckpt-1") || strings.Contains(text, "ckpt-3") {
		t.Errorf("state file lists what only Best keeps:\n%s", text)
	}
}
