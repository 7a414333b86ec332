package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
)

// world is a manager on a gated directory and a model of it: what is queued,
// what was written, and which failures nobody was told of.
type world struct {
	t   *testing.T
	r   *rand.Rand
	dir *gated
	c   *Checkpoint
	v   *variableF
	m   *Manager
	a   Async

	queued  []*modelled // the first is being written
	written []string
	values  map[string]float32
	untold  map[string]bool
	handles []*modelled
	last    int64 // number given last
	stats   AsyncStats
}

// modelled is a save of the model.
type modelled struct {
	*Saving
	outcome error
	done    bool
}

// TestRandomHistoriesAgainstAModel: saves that are written, fail, are skipped
// or replaced, and callers that wait, in any order.
func TestRandomHistoriesAgainstAModel(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, seed)
			for range 40 {
				w.step()
				w.check()
				if t.Failed() {
					t.Fatalf("seed %d, %+v", seed, w.a)
				}
			}
			w.close()
			if t.Failed() {
				t.Fatalf("seed %d, %+v", seed, w.a)
			}
		})
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 3))
	w := &world{t: t, r: r, dir: newGated(), values: make(map[string]float32), untold: make(map[string]bool)}
	w.c, w.v = one(0)
	w.a = Async{Queue: r.IntN(3), WhenFull: WhenFull(r.IntN(3))}
	m, err := NewManager(background(), w.c, w.dir, &ManagerOptions{Async: &w.a, Now: at(1000).now})
	if err != nil {
		t.Fatal(err)
	}
	w.m = m
	return w
}

func (w *world) step() {
	switch w.r.IntN(6) {
	case 0, 1, 2:
		w.save()
	case 3:
		w.end()
	case 4:
		w.ask()
	case 5:
		w.wait()
	}
	w.v.Value[0] = -1 // nobody may see it
	synctest.Wait()
}

// full reports whether the queue has no room for another save.
func (w *world) full() bool { return len(w.queued) > w.a.limit().Waiting }

func (w *world) save() {
	for w.a.WhenFull == Block && w.full() {
		w.end()
	}
	w.v.Value[0] = w.r.Float32()
	value := w.v.Value[0]
	s, err := w.m.Begin(background(), nil)
	w.told(err)
	if w.a.WhenFull == Skip && w.full() {
		if w.stats.Skipped++; s != nil {
			w.t.Errorf("Begin() = %s, want it skipped", s.Path())
		}
		return
	}
	w.last++
	if want := fmt.Sprint("ckpt-", w.last); s == nil || s.Path() != want {
		w.t.Fatalf("Begin() = %v, want %s", s, want)
	}
	if w.a.WhenFull == Replace && w.full() {
		w.stats.Replaced++
		dropped := w.queued[len(w.queued)-1]
		w.queued = w.queued[:len(w.queued)-1]
		dropped.done, dropped.outcome = true, ErrReplaced
	}
	h := &modelled{Saving: s}
	w.queued, w.handles, w.values[s.Path()] = append(w.queued, h), append(w.handles, h), value
}

// end ends the save that is being written.
func (w *world) end() {
	if len(w.queued) == 0 {
		return
	}
	h := w.queued[0]
	w.queued, h.done = w.queued[1:], true
	if w.r.IntN(3) == 0 {
		h.outcome = errDisk
		w.untold[h.Path()] = true
		w.stats.Failed++
	} else {
		w.written = append(w.written, h.Path())
		w.stats.Written++
	}
	w.dir.pass <- h.outcome
	synctest.Wait()
}

// ask calls Sync without patience.
func (w *world) ask() {
	ended, cancel := context.WithCancel(background())
	cancel()
	err := w.m.Sync(ended)
	if got, want := errors.Is(err, context.Canceled), len(w.queued) > 0; got != want {
		w.t.Errorf("Sync() = %v with %d queued", err, len(w.queued))
	}
	w.told(err)
}

// wait asks a handle that is done.
func (w *world) wait() {
	if len(w.handles) == 0 {
		return
	}
	h := w.handles[w.r.IntN(len(w.handles))]
	if !h.done {
		return
	}
	if err := h.Wait(background()); !errors.Is(err, h.outcome) {
		w.t.Errorf("Wait() of %s = %v, want %v", h.Path(), err, h.outcome)
	}
	delete(w.untold, h.Path())
}

// told checks that err tells of all failed saves nobody was told of.
func (w *world) told(err error) {
	var got []string
	for _, e := range flatten(err) {
		if errors.Is(e, errDisk) {
			got = append(got, e.Error())
		}
	}
	if len(got) != len(w.untold) {
		w.t.Errorf("told %q, want %v", got, w.untold)
	}
	clear(w.untold)
}

// flatten returns the errors that were joined into err.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}

// check compares what can be seen at any time.
func (w *world) check() {
	if got := w.m.Checkpoints(); !slices.Equal(got, w.written) {
		w.t.Errorf("Checkpoints() = %v, want %v", got, w.written)
	}
	if got := w.c.SaveCounter(); got != w.last {
		w.t.Errorf("SaveCounter() = %d, want %d", got, w.last)
	}
	want := w.stats
	want.Waiting = max(0, len(w.queued)-1)
	if got := w.c.AsyncStats(); got != want {
		w.t.Errorf("AsyncStats() = %+v, want %+v", got, want)
	}
	for _, h := range w.handles {
		wantDone(w.t, h.Saving, h.done)
	}
}

// close ends the history, and looks at what is on disk.
func (w *world) close() {
	for range len(w.queued) {
		w.end()
	}
	w.told(w.m.Close(background()))
	w.told(w.m.Close(background()))
	w.check()
	wantPaths(w.t, "on disk", onDisk(w.t, w.dir.Dir), w.written...)
	for _, path := range w.written {
		if got := value(w.t, w.dir.Dir, path); got != w.values[path] {
			w.t.Errorf("%s has %v, want %v", path, got, w.values[path])
		}
	}
	if len(w.m.pending) != 0 || w.dir.top > 1 {
		w.t.Errorf("%d pending, %d written at a time", len(w.m.pending), w.dir.top)
	}
}
