package checkpoint

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/queue"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// hold keeps the saves of c from being written until what it returns is called.
func hold(c *Checkpoint) (release func()) {
	held := make(chan bool)
	c.queue.Put(queue.Job{Owner: held, Run: func() { <-held }}, queue.Limit{Waiting: 9})
	return func() { close(held) }
}

func firstIsFrozen(name string) bool { return strings.HasPrefix(name, "w0/") }

// TestAnIncrementalSnapshotIsOfTheMomentOfTheCall, however much is copied of it.
func TestAnIncrementalSnapshotIsOfTheMomentOfTheCall(t *testing.T) {
	for _, limit := range []int64{0, 1, 3000, 1 << 20} {
		for _, frozen := range []func(string) bool{nil, firstIsFrozen} {
			t.Run(fmt.Sprint(limit, frozen != nil), func(t *testing.T) {
				dir := local.Dir(t.TempDir())
				l := newLayers(&Options{Incremental: &Incremental{}, Async: &Async{Queue: 3}, SnapshotMemory: limit, Frozen: frozen}, 3000, 500, 200)
				m := newManager(t, l.c, dir, nil)
				were := make(map[string][][]float32)
				for i := range 5 {
					l.set(1, float32(10+i))
					p := mustSave(t, m, nil)
					were[p] = l.values()
					l.set(1, -1)
					if i == 0 {
						if err := m.Sync(background()); err != nil { // so that there is something to go by
							t.Fatal(err)
						}
					}
				}
				if err := m.Sync(background()); err != nil {
					t.Fatal(err)
				}
				for p, want := range were {
					holds(t, dir, p, want)
					if linked, _ := linkedOf(t, dir, p); len(linked) == 0 && p != "ckpt-1" {
						t.Errorf("%s links nothing", p)
					}
				}
				if n := l.c.snapshots.InUse(); n != 0 {
					t.Errorf("%d bytes of copies are left", n)
				}
			})
		}
	}
}

// TestWhatDoesNotChangeIsNotCopied: neither what is linked nor what the program
// says is frozen, with incremental saves or without.
func TestWhatDoesNotChangeIsNotCopied(t *testing.T) {
	for name, o := range map[string]Options{
		"linked":            {Incremental: &Incremental{}},
		"frozen":            {Frozen: firstIsFrozen},
		"frozen and linked": {Incremental: &Incremental{}, Frozen: firstIsFrozen},
	} {
		t.Run(name, func(t *testing.T) {
			o.Async, o.SnapshotMemory = &Async{Queue: 4}, 500*4+64 // w1 and the save counter: a call that copied more would wait
			l := newLayers(&o, 100000, 500)
			dir := local.Dir(t.TempDir())
			m := newManager(t, l.c, dir, nil)
			mustSave(t, m, nil)
			if err := m.Sync(background()); err != nil {
				t.Fatal(err)
			}
			release := hold(l.c)
			mustSave(t, m, nil)
			if n := l.c.snapshots.InUse(); n > o.SnapshotMemory {
				t.Errorf("%d bytes were copied, want %d", n, 500*4)
			}
			l.set(1, 9)
			release()
			if err := m.Sync(background()); err != nil {
				t.Fatal(err)
			}
			want := l.values()
			l.set(1, 1)
			want[1] = l.values()[1]
			holds(t, dir, "ckpt-2", want)
		})
	}
}

// TestWhatIsLinkedStaysWhateverIsRemoved: the bytes are held from the call on.
//
// Proves D30.
func TestWhatIsLinkedStaysWhateverIsRemoved(t *testing.T) {
	for place, dir := range bothPlaces(t) {
		t.Run(place, func(t *testing.T) {
			l := newLayers(&Options{Incremental: &Incremental{}, Async: &Async{Queue: 4}}, 3000, 500)
			m := newManager(t, l.c, dir, &ManagerOptions{MaxToKeep: 1})
			mustSave(t, m, nil)
			if err := m.Sync(background()); err != nil {
				t.Fatal(err)
			}
			release := hold(l.c)
			for range 3 {
				mustSave(t, m, nil)
			}
			release()
			if err := m.Sync(background()); err != nil {
				t.Fatal(err)
			}
			wantPaths(t, "checkpoints", onDisk(t, dir), "ckpt-4")
			wantLinked(t, dir, "ckpt-4", "data-00001-of-00002")
			holds(t, dir, "ckpt-4", l.values())
		})
	}
}

// TestASaveThatIsReplacedGivesItsLinksUp.
func TestASaveThatIsReplacedGivesItsLinksUp(t *testing.T) {
	at := t.TempDir()
	dir := local.Dir(at)
	l := newLayers(&Options{Incremental: &Incremental{Rewrite: 9}, Async: &Async{Queue: 2, WhenFull: Replace}}, 3000, 500)
	m := newManager(t, l.c, dir, nil)
	mustSave(t, m, nil)
	if err := m.Sync(background()); err != nil {
		t.Fatal(err)
	}
	release := hold(l.c)
	var all []*Saving
	for range 3 {
		s, err := m.Begin(background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	release()
	replaced := 0
	for _, s := range all {
		switch err := s.Wait(background()); {
		case errors.Is(err, ErrReplaced):
			replaced++
		case err != nil:
			t.Fatal(err)
		default:
			holds(t, dir, s.Path(), l.values())
		}
	}
	if replaced == 0 {
		t.Fatal("no save was replaced")
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".ckpt.tmp-") {
			t.Errorf("%s stays", e.Name())
		}
	}
}

// TestAFrozenTensorThatChangesIsFoundOut by the asynchronous save that believed
// the program, and written by the next.
func TestAFrozenTensorThatChangesIsFoundOut(t *testing.T) {
	var log lines
	dir := local.Dir(t.TempDir())
	l := newLayers(&Options{Incremental: &Incremental{}, Async: &Async{}, Frozen: firstIsFrozen, Logger: slog.New(slog.NewTextHandler(&log, nil))}, 3000, 500)
	save := func(path string) {
		t.Helper()
		if err := l.c.Write(background(), dir, path); err != nil {
			t.Fatal(err)
		}
		if err := l.c.Sync(background()); err != nil {
			t.Fatal(err)
		}
	}
	save("a")
	was := l.values()
	save("b")
	if text := log.String(); strings.Contains(text, "frozen") {
		t.Errorf("the log says %q before any has changed", text)
	}
	l.set(0, 44)
	save("c")
	holds(t, dir, "c", was) // it was promised
	if n := strings.Count(log.String(), "frozen tensor has changed"); n != 1 {
		t.Errorf("it is told %d times, want once: %s", n, log.String())
	}
	save("d")
	holds(t, dir, "d", l.values())
	save("e")
	holds(t, dir, "e", l.values())
	wantLinked(t, dir, "e", "data-00001-of-00003", "data-00002-of-00003")
}

// TestAFrozenTensorIsReadWhenItIsWritten: nobody has a copy of it.
func TestAFrozenTensorIsReadWhenItIsWritten(t *testing.T) {
	dir := storage.Dir(local.Dir(t.TempDir()))
	l := newLayers(&Options{Async: &Async{Queue: 3}, Frozen: firstIsFrozen}, 3000, 500)
	release := hold(l.c)
	if err := l.c.Write(background(), dir, "m"); err != nil {
		t.Fatal(err)
	}
	want := l.values()
	l.set(0, 7) // against the promise, to see where it is read
	want[0] = l.values()[0]
	l.set(1, 8)
	release()
	if err := l.c.Sync(background()); err != nil {
		t.Fatal(err)
	}
	holds(t, dir, "m", want)
}
