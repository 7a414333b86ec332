package checkpoint

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// TestTidyingLeavesAloneWhatASleeperMayChange: it may be about to publish the
// index of what looks like the rest of a save that was cut.
//
// Proves D27.
func TestTidyingLeavesAloneWhatASleeperMayChange(t *testing.T) {
	for over, stays := range map[string]bool{"ckpt-2": true, "ckpt-7": false} {
		raw := savedBy(t, ManagerOptions{MaxToKeep: 5}, 3)
		remove(t, raw, "ckpt-2.index")
		writeFile(t, raw, ".ckpt.writers/checkpoint@1.json", asleepOver(over))
		dir := storage.WithLease(raw, &storage.LeaseOptions{TTL: 50 * time.Millisecond, Holder: "process 2 (x) on host z"})
		c, _ := one(9)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 5, Now: at(2000).tick})
		mustSave(t, m, nil)
		if got := contains(listing(t, raw), "ckpt-2.data-00000-of-00001"); got != stays {
			t.Errorf("with a sleeper over %s the data of ckpt-2 is there: %v, want %v", over, got, stays)
		}
	}
}

// TestNobodyTouchesWhatASleeperMayChange, nor holds what may be on its way out.
//
// Proves D27, D28.
func TestNobodyTouchesWhatASleeperMayChange(t *testing.T) {
	for what, test := range map[string]struct {
		lock string // whose lease the sleeper had
		do   func(storage.Dir) error
	}{
		"repair":     {"checkpoint", func(d storage.Dir) error { _, err := Repair(background(), d, "ckpt-3", nil); return err }},
		"quarantine": {"checkpoint", func(d storage.Dir) error { _, err := Quarantine(background(), d, "ckpt-3", nil); return err }},
		"lease": {"removal", func(d storage.Dir) error {
			l, err := TakeLease(background(), d, "ckpt-3", nil)
			if err == nil {
				err = l.Release(background())
			}
			return err
		}},
	} {
		raw := protected(t, 1, 3, nil)
		sets, err := shelf.Scan(background(), raw, "ckpt-3.")
		must(t, err)
		must(t, shelf.Link(background(), raw, sets["ckpt-3"])) // as in an overwrite
		flipMiddle(t, raw, dataOf("ckpt-3"))
		before := contents(t, raw)
		writeFile(t, raw, ".ckpt.writers/"+test.lock+"@1.json", asleepOver("ckpt-3"))
		dir := storage.WithLease(raw, &storage.LeaseOptions{TTL: 50 * time.Millisecond, Holder: "process 2 (x) on host z"})
		if err := test.do(dir); !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "process 1 (x) on host y") {
			t.Errorf("%s = %v, want %v and by whom", what, err, storage.ErrLocked)
		}
		for name, text := range before {
			if readFile(t, raw, name) != text {
				t.Errorf("%s: %s has changed", what, name)
			}
		}
	}
}

// onCue is a place, without locks, where files are made when it is told to.
type onCue struct {
	storage.Dir
	goOn chan struct{}
}

func (d onCue) Create(ctx context.Context, name string) (storage.Pending, error) {
	<-d.goOn
	return d.Dir.Create(ctx, name)
}

func (d onCue) WriteNew(ctx context.Context, name string, data []byte) error {
	return storage.WriteNew(ctx, d.Dir, name, data)
}

// TestAPlainSaveThatLostItsLeaseIsNotMade, also when it is made later.
//
// Proves D27.
func TestAPlainSaveThatLostItsLeaseIsNotMade(t *testing.T) {
	raw, goOn := mem.Dir(), make(chan struct{})
	c := New(nil, Objects{"v": variable(1)}, &Options{Async: &Async{}})
	if err := c.SaveAs(background(), leasedBy(onCue{raw, goOn}, "a"), "plain", nil); err != nil {
		t.Fatal(err)
	}
	writeFile(t, raw, ".ckpt.writers/checkpoint@2.json", "{}")
	close(goOn)
	if err := c.Sync(background()); !errors.Is(err, storage.ErrFenced) {
		t.Errorf("Sync() = %v, want %v", err, storage.ErrFenced)
	}
	if contains(listing(t, raw), "plain.index") {
		t.Error("it was made all the same")
	}
}
