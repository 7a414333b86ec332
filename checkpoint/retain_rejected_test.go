package checkpoint

import (
	"context"
	"fmt"
	"testing"

	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestRejectedCheckpointsTakeNoPlace: a restore passes over the newest two,
// and what it went back to stays as long as there are no others.
func TestRejectedCheckpointsTakeNoPlace(t *testing.T) {
	for name, o := range map[string]ManagerOptions{
		"MaxToKeep": {MaxToKeep: 3},
		"Retention": {Retention: retention.Latest(3)},
		"async":     {MaxToKeep: 3, Async: &Async{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, now := mem.Dir(), at(1000)
			o.Now = now.tick
			c, v := one(0)
			m := newManager(t, c, dir, &o)
			for i := range 3 {
				v.Value[0] = float32(i + 1)
				mustSave(t, m, nil)
			}
			if err := m.Close(background()); err != nil {
				t.Fatal(err)
			}
			o.Validate = &Validation{Run: func(context.Context) (map[string]float64, error) {
				if v.Value[0] > 1 {
					return nil, fmt.Errorf("diverged: %w", ErrRejected)
				}
				return nil, nil
			}}
			m = newManager(t, c, dir, &o)
			if path, err := m.RestoreOrInitialize(background()); err != nil || path != "ckpt-1" {
				t.Fatalf("RestoreOrInitialize() = %q, %v, want ckpt-1", path, err)
			}
			for _, want := range [][]string{
				{"ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4"}, // 2 and 3 besides
				{"ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4", "ckpt-5"},
				{"ckpt-4", "ckpt-5", "ckpt-6"},
			} {
				mustSave(t, m, nil)
				if err := m.Sync(background()); err != nil {
					t.Fatal(err)
				}
				wantPaths(t, "on disk", onDisk(t, dir), want...)
			}
		})
	}
}

// TestMarksOfAnotherProcessAreSeen: an evaluator rejects what a training that
// goes on has saved.
func TestMarksOfAnotherProcessAreSeen(t *testing.T) {
	for name, o := range map[string]ManagerOptions{
		"latest": {MaxToKeep: 2},
		"best":   {Retention: retention.Any(retention.Latest(1), retention.Best(1, retention.Lowest("loss")))},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mem.Dir()
			o.Now = at(1000).tick
			c, _ := one(0)
			m := newManager(t, c, dir, &o)
			for i, loss := range []float64{2, 1, 3} {
				p := mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": loss}})
				if i == 1 {
					if err := Reject(background(), dir, p, "its loss is that of a bug"); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := onDisk(t, dir); name == "latest" && !contains(got, "ckpt-1") || !contains(got, "ckpt-3") {
				t.Errorf("on disk are %q, want ckpt-1 and ckpt-3 among them", got)
			}
			mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": 4}})
			if got := onDisk(t, dir); !contains(got, "ckpt-3") || contains(got, "ckpt-2") {
				t.Errorf("on disk are %q, want ckpt-3 and not ckpt-2 among them", got)
			}
		})
	}
}

// TestWhatFallbackPassedOverTakesNoPlace: damage leaves no mark, but who has
// seen it does not count on that checkpoint.
func TestWhatFallbackPassedOverTakesNoPlace(t *testing.T) {
	dir, now := savedBy(t, ManagerOptions{}, 2), at(2000)
	writeFile(t, dir, "ckpt-2.data-00000-of-00001", "broken")
	c, _ := one(0)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Fallback: true, Now: now.tick})
	if path, err := m.RestoreOrInitialize(background()); err != nil || path != "ckpt-1" {
		t.Fatalf("RestoreOrInitialize() = %q, %v, want ckpt-1", path, err)
	}
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-3")
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(2)}) // whole now
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-3")
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-5")
}

// TestAGhostTakesNoPlace: files that somebody removed by hand while the
// training went on.
func TestAGhostTakesNoPlace(t *testing.T) {
	for name, o := range map[string]ManagerOptions{
		"latest": {MaxToKeep: 2},
		"best":   {Retention: retention.Any(retention.Latest(1), retention.Best(1, retention.Lowest("loss")))},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mem.Dir()
			o.Now = at(1000).tick
			c, _ := one(0)
			m := newManager(t, c, dir, &o)
			mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": 2}})
			mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": 1}})
			gone, stays := "ckpt-2", "ckpt-1"
			if name == "best" {
				mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": 3}})
				stays = "ckpt-3"
			}
			for _, part := range []string{".index", ".data-00000-of-00001", ".receipt.json"} {
				remove(t, dir, gone+part)
			}
			last := mustSave(t, m, &SaveOptions{Metrics: map[string]float64{"loss": 4}})
			wantPaths(t, "on disk", onDisk(t, dir), stays, last)
			wantPaths(t, "Checkpoints()", m.Checkpoints(), stays, last)
		})
	}
}
