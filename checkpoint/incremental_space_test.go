package checkpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestWhatIsSharedTakesItsBytesOnce: five checkpoints of which each has 20,000
// bytes take less than 34,000, and so none of them is removed for its size.
//
// Proves D9.
func TestWhatIsSharedTakesItsBytesOnce(t *testing.T) {
	for place, dir := range bothPlaces(t) {
		t.Run(place, func(t *testing.T) {
			o := &ManagerOptions{Retention: retention.All(retention.Latest(5), retention.MaxBytes(34_000))}
			l := newLayers(incremental, 4000, 400)
			m := newManager(t, l.c, dir, o)
			for i := range 7 {
				l.set(1, float32(100+i))
				mustSave(t, m, nil)
			}
			want := []string{"ckpt-3", "ckpt-4", "ckpt-5", "ckpt-6", "ckpt-7"}
			wantPaths(t, "kept", onDisk(t, dir), want...)
			for i, p := range want {
				l.set(1, float32(102+i))
				holds(t, dir, p, l.values())
			}
			if err := m.Close(background()); err != nil {
				t.Fatal(err)
			}
			plan, err := PlanPrune(background(), dir, o.Retention, nil)
			if err != nil || plan.Frees() != 0 {
				t.Errorf("PlanPrune = %v, %v, want nothing to remove", plan, err)
			}
			l.set(0, 1000) // nothing is shared with this one
			m = newManager(t, l.c, dir, o)
			mustSave(t, m, nil)
			wantPaths(t, "kept beside one that shares nothing", onDisk(t, dir), "ckpt-8")
		})
	}
}

// TestNoRoomIsMadeOfWhatOthersShare: the bytes of the one that would go are
// those of the one that stays.
func TestNoRoomIsMadeOfWhatOthersShare(t *testing.T) {
	l := newLayers(incremental, 4000, 400)
	dir := small{local.Dir(t.TempDir()), 36_000}
	m := newManager(t, l.c, dir, &ManagerOptions{MaxToKeep: 2, MakeRoom: true, Logger: slog.New(slog.DiscardHandler)})
	for i := range 2 {
		l.set(1, float32(100+i))
		mustSave(t, m, nil)
	}
	l.set(0, 1000)
	l.set(1, 102)
	if p, err := m.Save(background(), nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Save = %q, %v, want ENOSPC", p, err)
	}
	wantPaths(t, "kept", onDisk(t, dir), "ckpt-1", "ckpt-2")
	l.set(0, 0) // as it was: now little is written
	for i := range 3 {
		l.set(1, float32(103+i))
		if p := mustSave(t, m, nil); p != fmt.Sprint("ckpt-", 3+i) {
			t.Errorf("Save = %q, want ckpt-%d", p, 3+i)
		}
	}
}
