package checkpoint

import (
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage/mem"
)

// What one manager preserves says nothing about the checkpoints of another.
func TestManagersOfOneDirectoryKeepEachOthersLists(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	a := &ManagerOptions{MaxToKeep: 2, CheckpointName: "a", Now: now.now}
	b := &ManagerOptions{MaxToKeep: 1, CheckpointName: "b", KeepCheckpointEvery: time.Hour, Now: now.now}
	first, second := newManager(t, c, dir, a), newManager(t, c, dir, b)
	for range 2 {
		now.tick()
		mustSave(t, first, nil)
	}
	now.add(2 * time.Hour)
	for range 2 {
		now.tick()
		mustSave(t, second, nil)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "a-1", "a-2", "b-3", "b-4")
	wantPaths(t, "state's paths", readState(t, dir).AllModelCheckpointPaths, "a-1", "a-2", "b-4")
	now.tick()
	again := newManager(t, c, dir, a)
	wantPaths(t, "Checkpoints() of the next manager", again.Checkpoints(), "a-1", "a-2")
	mustSave(t, again, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "a-2", "a-5", "b-3", "b-4")
	wantPaths(t, "Checkpoints() of the other", newManager(t, c, dir, b).Checkpoints(), "b-4")
}

// A clock that was wrong for a while may keep a checkpoint too many, but never
// one too few afterwards.
func TestClockThatWasAheadDoesNotEndTheHourlyRule(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: time.Hour, Now: now.now})
	save := func(d time.Duration) {
		t.Helper()
		now.add(d)
		mustSave(t, m, nil)
	}
	save(time.Second)
	save(1000 * time.Hour) // wrong
	save(-999 * time.Hour) // right again: an hour later
	save(61 * time.Minute)
	save(61 * time.Minute)
	// ckpt-2 by the wrong clock, and one an hour by the right one.
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-2", "ckpt-3", "ckpt-4", "ckpt-5")
}
