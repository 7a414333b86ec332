package checkpoint

import (
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestTheLatestThatLostItsIndexKeepsItsFiles: parity, or a copy somewhere, may
// bring the index back.
//
// Proves D9.
func TestTheLatestThatLostItsIndexKeepsItsFiles(t *testing.T) {
	dir := mem.Dir()
	c := New(nil, Objects{"v": variable(1)}, &Options{Parity: true})
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 5, Now: at(1000).tick})
	for range 3 {
		mustSave(t, m, nil)
	}
	must(t, m.Close(background()))
	remove(t, dir, "ckpt-3.index")
	for range 2 { // the second opening finds another latest
		m = newManager(t, New(nil, Objects{"v": variable(1)}, nil), dir, &ManagerOptions{MaxToKeep: 5, Now: at(2000).tick, Fallback: true})
		if path, err := m.RestoreOrInitialize(background()); path == "" || err != nil {
			t.Fatalf("RestoreOrInitialize() = %q, %v", path, err)
		}
		mustSave(t, m, nil)
		must(t, m.Close(background()))
	}
	if mended, err := Repair(background(), dir, "ckpt-3", nil); err != nil || len(mended) != 1 || !mended[0].Done {
		t.Errorf("Repair = %+v, %v, want the index to be made again", mended, err)
	}
}

func TestNoRoomIsMadeOfWhatIsOverwritten(t *testing.T) {
	for _, number := range []int64{1, 2} {
		m, tr, _ := onSmall(t, 9200, &ManagerOptions{MaxToKeep: 2, MakeRoom: true})
		m.dir = small{m.dir.(small).Dir, 20000}
		m.out = m.dir
		for range 2 {
			mustSave(t, m, nil)
		}
		m.out = small{m.dir.(small).Dir, 13000}
		tr.take("")
		_, err := m.Save(background(), &SaveOptions{CheckpointNumber: &number})
		if did := tr.take(""); strings.Contains(did, "remove ckpt-1.index") || strings.Contains(did, "remove ckpt-2.index") {
			t.Errorf("overwriting ckpt-%d (%v) did\n%s", number, err, did)
		}
		wantPaths(t, "checkpoints", onDisk(t, m.dir), "ckpt-1", "ckpt-2")
	}
}

// TestPruneReadsTheNewest: bits rot without changing a size.
//
// Proves D9.
func TestPruneReadsTheNewest(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 5}, 4)
	flipMiddle(t, dir, "ckpt-4.data-00000-of-00001")
	plan, err := PlanPrune(background(), dir, retention.Latest(1), nil)
	must(t, err)
	must(t, plan.Do(background()))
	wantPaths(t, "checkpoints", onDisk(t, dir), "ckpt-3", "ckpt-4")
}

// asleepOver is the token of a writer that lost its lease while it was changing
// a checkpoint.
func asleepOver(path string) string {
	return `{"schema":1,"id":"sleeper","holder":"process 1 (x) on host y","since":"2026-01-01T00:00:00Z","ttl_seconds":0.05,"beat":1,"paths":["` + path + `"]}`
}

// TestHealingLeavesAloneWhatASleeperMayChange, as Quarantine does.
//
// Proves D21, D27.
func TestHealingLeavesAloneWhatASleeperMayChange(t *testing.T) {
	raw := savedBy(t, ManagerOptions{MaxToKeep: 5}, 3)
	flipMiddle(t, raw, "ckpt-3.data-00000-of-00001")
	writeFile(t, raw, ".ckpt.writers/checkpoint@1.json", asleepOver("ckpt-3"))
	dir := storage.WithLease(raw, &storage.LeaseOptions{TTL: 50 * time.Millisecond, Holder: "process 2 (x) on host z"})
	c, _ := one(9)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 5, Now: at(2000).tick})
	if path, err := m.RestoreLatestValid(background()); path != "ckpt-2" {
		t.Errorf("RestoreLatestValid() = %q, %v, want ckpt-2", path, err)
	}
	if !contains(listing(t, raw), "ckpt-3.index") {
		t.Error("ckpt-3 was put aside")
	}
}

// TestAPlainSaveLooksAtTheNumberThatItGoesOnTo: the one after what a writer who
// lost the lease may still change is taken here.
//
// Proves D8.
func TestAPlainSaveLooksAtTheNumberThatItGoesOnTo(t *testing.T) {
	raw := mem.Dir()
	c, v := one(1)
	if _, err := c.Save(background(), raw, "ckpt"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"index", "data-00000-of-00001", "receipt.json"} {
		writeFile(t, raw, "ckpt-3."+suffix, readFile(t, raw, "ckpt-1."+suffix))
	}
	writeFile(t, raw, ".ckpt.writers/checkpoint@1.json", asleepOver("ckpt-2"))
	before := readFile(t, raw, "ckpt-3.data-00000-of-00001")
	v.Value[0] = 77
	dir := storage.WithLease(raw, &storage.LeaseOptions{TTL: 50 * time.Millisecond, Holder: "process 2 (x) on host z"})
	if path, err := c.Save(background(), dir, "ckpt"); path != "ckpt-4" || err != nil {
		t.Errorf("Save() = %q, %v, want ckpt-4", path, err)
	}
	if readFile(t, raw, "ckpt-3.data-00000-of-00001") != before {
		t.Error("ckpt-3 was changed")
	}
}
