package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAPinnedCheckpointStays(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	o := &ManagerOptions{MaxToKeep: 2, Now: now.tick}
	m := newManager(t, c, dir, o)
	mustSave(t, m, nil)
	must(t, Pin(background(), dir, "ckpt-1", "table 2"))
	for range 3 {
		mustSave(t, m, nil)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-3", "ckpt-4")
	wantPaths(t, "listed", readState(t, dir).AllModelCheckpointPaths, "ckpt-3", "ckpt-4")
	if got := receiptOf(t, dir, "ckpt-1").Retained; got != "pinned: table 2" {
		t.Errorf("retained for %q", got)
	}
	must(t, Unpin(background(), dir, "ckpt-1"))
	mustSave(t, m, nil)
	wantPaths(t, "on disk after Unpin", onDisk(t, dir), "ckpt-4", "ckpt-5")

	must(t, m.Pin(background(), "ckpt-4", ""))
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-4", "ckpt-6", "ckpt-7")
	must(t, m.Unpin(background(), "ckpt-4"))
	mustSave(t, m, nil)
	wantPaths(t, "on disk after Manager.Unpin", onDisk(t, dir), "ckpt-7", "ckpt-8")
}

// TestUnpinningOneOfManyIsNoticedInTime: each save looks at one.
func TestUnpinningOneOfManyIsNoticedInTime(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	for i := range 5 {
		p := mustSave(t, m, nil)
		must(t, Pin(background(), dir, p, fmt.Sprint("reason ", i)))
	}
	must(t, Unpin(background(), dir, "ckpt-3"))
	for range 6 {
		mustSave(t, m, nil)
	}
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-4", "ckpt-5", "ckpt-11")
}

func TestTagsDecide(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	policy := retention.Any(retention.Latest(1), retention.Tagged("golden"))
	m := newManager(t, c, dir, &ManagerOptions{Retention: policy, Now: now.tick})
	mustSave(t, m, nil)
	must(t, Tag(background(), dir, "ckpt-1.index", "golden", "v1", "golden"))
	mustSave(t, m, nil)
	must(t, m.Tag(background(), "ckpt-2", "v2"))
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-3")
	wantPaths(t, "tags", receiptOf(t, dir, "ckpt-1").Tags, "golden", "v1")
	if got := receiptOf(t, dir, "ckpt-1").Retained; got != "tagged golden" {
		t.Errorf("retained for %q", got)
	}
	must(t, m.Untag(background(), "ckpt-1", "golden", "unheard of"))
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-4")
	if err := Tag(background(), dir, "ckpt-4", ""); err == nil {
		t.Error("Tag() with an empty tag = nil")
	}
}

// TestAPinComesInTimeOrIsRefused: another goroutine pins the victim at each
// step of the sweep. Either the pin is in place and the checkpoint stays, or
// the pin says that there is nothing to pin.
func TestAPinComesInTimeOrIsRefused(t *testing.T) {
	committed := "commit ckpt-2.receipt.json " + dataOf("ckpt-2") + "; ckpt-2.index; checkpoint"
	for step, stays := range map[string]bool{
		committed:                      true,  // the new one is recorded, the sweep begins
		"list " + dirlock.Leases + "/": false, // the sweep has the lock
		"open ckpt-1.receipt.json":     false, // and has just looked
		"create ckpt-2.receipt.json":   true,  // the save is under way
	} {
		synctest.Test(t, func(t *testing.T) {
			inner := mem.Dir()
			pinned, armed := error(nil), false
			dir := storage.WithTrace(inner, func(line string) {
				if armed && line == step {
					armed = false
					go func() { pinned = Pin(background(), inner, "ckpt-1", "just now") }()
					synctest.Wait() // until it is done, or waits for the sweep
				}
			})
			now := at(1000)
			c, _ := one(1)
			m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
			mustSave(t, m, nil)
			armed = true
			mustSave(t, m, nil)
			synctest.Wait()
			if armed || errors.Is(pinned, fs.ErrNotExist) == stays || contains(onDisk(t, inner), "ckpt-1") != stays {
				t.Errorf("Pin at %q = %v, on disk %v, want it to stay %v", step, pinned, onDisk(t, inner), stays)
			}
		})
	}
}

// TestTheLastLookIsUnderTheLock is the order that makes a pin safe.
func TestTheLastLookIsUnderTheLock(t *testing.T) {
	var tr tracer
	c, _ := one(1)
	m := newManager(t, c, storage.WithTrace(mem.Dir(), tr.tell), &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	mustSave(t, m, nil)
	tr.take("")
	mustSave(t, m, nil)
	did, last := tr.take(""), 0
	for _, line := range []string{"commit ckpt-2.receipt.json", "lock " + dirlock.Removal, "open ckpt-1.receipt.json", "remove ckpt-1.index", "unlock " + dirlock.Removal} {
		at := strings.Index(did, "\n"+line)
		if at < last {
			t.Errorf("%q comes too early in\n%s", line, did)
		}
		last = at
	}
}

// TestPinsAndSweepsAtOnce: whoever was told that a pin is in place finds the
// checkpoint, however many sweeps are under way.
func TestPinsAndSweepsAtOnce(t *testing.T) {
	root := t.TempDir()
	c, _ := one(1)
	m := newManager(t, c, local.Dir(root), &ManagerOptions{MaxToKeep: 1})
	mustSave(t, m, nil)
	done := make(chan struct{})
	var wg sync.WaitGroup
	var pinned sync.Map
	for range 2 {
		wg.Go(func() {
			dir := local.Dir(root)
			for {
				select {
				case <-done:
					return
				default:
				}
				p, err := Latest(background(), dir)
				if err == nil {
					err = Pin(background(), dir, p, "in use")
				}
				if err == nil {
					pinned.Store(p, true)
				} else if !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
		})
	}
	for range 30 {
		mustSave(t, m, nil)
	}
	close(done)
	wg.Wait()
	disk := onDisk(t, local.Dir(root))
	for p := range pinned.Range {
		if !contains(disk, p.(string)) {
			t.Errorf("%v was pinned and is gone", p)
		}
	}
}

// TestALeasedCheckpointGoesLater: the sweep leaves it, says who holds it, and
// a later one takes it.
func TestALeasedCheckpointGoesLater(t *testing.T) {
	dir, now := mem.Dir(), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, Now: now.tick})
	mustSave(t, m, nil)
	l, err := TakeLease(background(), dir, "ckpt-1", &LeaseOptions{Now: now.now, Holder: "the evaluator"})
	must(t, err)
	mustSave(t, m, nil)
	mustSave(t, m, nil)
	wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-3")
	wantPaths(t, "listed, for whoever comes later", readState(t, dir).AllModelCheckpointPaths, "ckpt-1", "ckpt-3")
	list, err := List(background(), dir, nil)
	if err != nil || len(list) != 2 {
		t.Errorf("List() = %v, %v, want two checkpoints", list, err)
	}
	must(t, l.Release(background()))
	mustSave(t, m, nil)
	wantPaths(t, "on disk after Release", onDisk(t, dir), "ckpt-4")
}

// TestTheLeaseOfADeadReaderEnds when it runs out, by the clock of the place.
func TestTheLeaseOfADeadReaderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		c, _ := one(1)
		m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1})
		mustSave(t, m, nil)
		writeFile(t, dir, leasePrefix("ckpt-1")+"DEAD.json", `{"holder":"gone","ttl_seconds":200,"expires":"1970-01-01T00:20:00Z"}`)
		time.Sleep(199 * time.Second) // of the bubble
		mustSave(t, m, nil)
		wantPaths(t, "on disk", onDisk(t, dir), "ckpt-1", "ckpt-2")
		time.Sleep(time.Second)
		mustSave(t, m, nil)
		wantPaths(t, "on disk after 200 s", onDisk(t, dir), "ckpt-3")
	})
}

func TestPinOfWhatIsNotThere(t *testing.T) {
	dir := mem.Dir()
	for what, err := range map[string]error{
		"Pin": Pin(background(), dir, "ckpt-1", "x"), "Unpin": Unpin(background(), dir, "ckpt-1"), "Tag": Tag(background(), dir, "ckpt-1", "x"),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s() = %v, want fs.ErrNotExist", what, err)
		}
	}
	wantPaths(t, "files", listing(t, dir))
}

// TestPinOfWhatHasNoReceipt: one of TensorFlow's, of either format; and what
// a receipt of a later version says stays.
func TestPinOfWhatHasNoReceipt(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	remove(t, dir, "ckpt-1.receipt.json")
	must(t, Unpin(background(), dir, "ckpt-1"))
	wantPaths(t, "files", onDisk(t, dir), "ckpt-1", "ckpt-2")
	must(t, Pin(background(), dir, "ckpt-1", "old"))
	if got := receiptOf(t, dir, "ckpt-1"); got.Pinned != "old" || got.Path != "ckpt-1" || got.Writer != "" {
		t.Errorf("receipt = %+v", got)
	}
	text := summed(strings.Replace(readFile(t, dir, "ckpt-2.receipt.json"), "{", `{"later": [1],`, 1))
	writeFile(t, dir, "ckpt-2.receipt.json", text)
	must(t, Pin(background(), dir, "", "the latest"))
	if got := readFile(t, dir, "ckpt-2.receipt.json"); !strings.Contains(got, `"later"`) || !strings.Contains(got, `"pinned": "the latest"`) {
		t.Errorf("receipt = %s", got)
	}
	r, err := Load(background(), dir, "ckpt-1")
	must(t, err)
	if err := closing(r, r.Verify(background(), nil)); errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Verify() of a pinned checkpoint = %v", err)
	}
}

// TestAPinThatComesTooLateIsAnError, where there are no locks to prevent it,
// and leaves no receipt of nothing behind.
func TestAPinThatComesTooLateIsAnError(t *testing.T) {
	inner := savedBy(t, ManagerOptions{}, 1)
	dir := storage.WithTrace(inner, func(line string) {
		if line == "create ckpt-1.receipt.json" {
			remove(t, inner, "ckpt-1.index")
		}
	})
	if err := Pin(background(), dir, "ckpt-1", "late"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Pin() = %v, want fs.ErrNotExist", err)
	}
	wantPaths(t, "files", listing(t, inner), "checkpoint", "ckpt-1.data-00000-of-00001")
}

// TestLeftoversOfAPinnedCheckpointStay: no sweep removes the index of what is
// pinned, so it was lost, and somebody may bring it back.
func TestLeftoversOfAPinnedCheckpointStay(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	m := newManager(t, c, dir, nil)
	for range 3 {
		mustSave(t, m, nil)
	}
	must(t, m.Close(background()))
	must(t, Pin(background(), dir, "ckpt-1", "mine"))
	remove(t, dir, "ckpt-1.index")
	remove(t, dir, "ckpt-2.index")
	again, _ := one(2)
	mustSave(t, newManager(t, again, dir, nil), nil)
	wantPaths(t, "files", listing(t, dir), "checkpoint", "ckpt-1.data-00000-of-00001", "ckpt-1.receipt.json",
		"ckpt-3.data-00000-of-00001", "ckpt-3.index", "ckpt-3.receipt.json",
		"ckpt-4.data-00000-of-00001", "ckpt-4.index", "ckpt-4.receipt.json")
}

// TestWhatWasToBePinnedAndWasNotSavedGoes: the writer died when all but the
// index of a pinned save was published.
//
// Proves D5.
func TestWhatWasToBePinnedAndWasNotSavedGoes(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	must(t, Pin(background(), dir, "ckpt-2", "mine"))
	remove(t, dir, "ckpt-2.index") // never listed: as if it had not been saved
	s, err := ReadState(background(), dir)
	must(t, err)
	s.ModelCheckpointPath, s.AllModelCheckpointPaths = "ckpt-1", s.AllModelCheckpointPaths[:1]
	s.AllModelCheckpointTimestamps = s.AllModelCheckpointTimestamps[:1]
	must(t, WriteState(background(), dir, s))
	c, _ := one(3)
	mustSave(t, newManager(t, c, dir, nil), nil)
	wantPaths(t, "files", listing(t, dir), "checkpoint", "ckpt-1.data-00000-of-00001", "ckpt-1.index", "ckpt-1.receipt.json",
		"ckpt-3.data-00000-of-00001", "ckpt-3.index", "ckpt-3.receipt.json")
}
