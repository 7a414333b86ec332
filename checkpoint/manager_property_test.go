package checkpoint

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"pgregory.net/rapid"
)

// Two managers of different names live through whatever may happen in one
// directory, and promise some things whatever it is.
func TestManagersKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := &promised{r: r, dir: mem.Dir(), now: at(1.7e9), managers: make([]*managed, 2)}
		for i, name := range []string{"a", "b"} {
			w.managers[i] = &managed{w: w, name: name}
			w.managers[i].open()
		}
		w.r.Repeat(map[string]func(*rapid.T){
			"save":   func(*rapid.T) { w.pick().save() },
			"reopen": func(*rapid.T) { w.pick().open() },
			"clock":  func(*rapid.T) { w.moveClock() },
			"lose":   func(*rapid.T) { w.lose() },
			"state":  func(*rapid.T) { w.loseState() },
			"plain":  func(*rapid.T) { w.plain() },
			"remove": func(*rapid.T) { w.remove() },
		})
	})
}

// promised is a directory and what happens in it.
type promised struct {
	r        *rapid.T
	dir      storage.Dir
	now      *clock
	managers []*managed
	plains   []string // saved by no manager
	back     bool     // the clock went, at some time
}

// managed is one of the managers, and the Checkpoint of its process.
type managed struct {
	w    *promised
	name string
	keep int
	c    *Checkpoint
	m    *Manager
	list []string
	calm bool // nobody has disturbed the directory since the list was seen
	torn bool // somebody has broken the state file since its last save
	lost bool // somebody has removed files: at work, a manager does not look for that
}

func (w *promised) pick() *managed { return w.managers[rapid.IntRange(0, 1).Draw(w.r, "manager")] }

// moveClock moves it in either direction. When it goes back behind the last
// preserved checkpoint the next manager lets go of the list, as TensorFlow's,
// and one after that may take it again.
func (w *promised) moveClock() {
	seconds := rapid.IntRange(-9000, 20000).Draw(w.r, "seconds")
	w.now.add(time.Duration(seconds) * time.Second)
	if w.back = w.back || seconds < 0; w.back {
		w.disturb()
	}
}

func (w *promised) disturb() {
	for _, m := range w.managers {
		m.calm = false
	}
}

// there returns the complete checkpoints, and all that have any file.
func (w *promised) there() (complete, any []string) {
	sets, err := shelf.Scan(background(), w.dir, "")
	w.must(err)
	for p, s := range sets {
		if s.Complete() {
			complete = append(complete, p)
		}
		any = append(any, p)
	}
	slices.Sort(complete)
	slices.Sort(any)
	return complete, any
}

func (w *promised) must(err error) {
	if err != nil {
		w.r.Helper()
		w.r.Fatal(err)
	}
}

func (m *managed) open() {
	w := m.w
	if m.m != nil {
		w.must(m.m.Close(background()))
	}
	m.keep = rapid.IntRange(0, 3).Draw(w.r, "keep")
	hours := time.Duration(rapid.SampledFrom([]int{0, 1, 2}).Draw(w.r, "hours")) * time.Hour
	m.c, _ = one(1)
	var err error
	m.m, err = NewManager(background(), m.c, w.dir, &ManagerOptions{MaxToKeep: m.keep, KeepCheckpointEvery: hours, CheckpointName: m.name, Now: w.now.now})
	w.must(err)
	complete, _ := w.there()
	got := m.m.Checkpoints()
	if m.calm && !slices.Equal(got, m.list) {
		w.r.Fatalf("Checkpoints() of the next %s = %v, want %v", m.name, got, m.list)
	}
	if latest := m.m.LatestCheckpoint(); len(complete) > 0 && !slices.Contains(complete, latest) && !m.half(latest) {
		w.r.Fatalf("LatestCheckpoint() = %q, with %v there", latest, complete)
	}
	m.list, m.calm, m.lost = got, !m.torn && !w.back, false
	if rapid.Bool().Draw(w.r, "restore") {
		p, err := m.restore()
		if err == nil && p == "" && slices.ContainsFunc(complete, m.owns) {
			w.r.Fatalf("RestoreOrInitialize() found nothing, with %v there", complete)
		}
	}
}

// half reports whether of a checkpoint at least the index or data is there.
func (m *managed) half(p string) bool {
	is, err := Exists(background(), m.w.dir, p)
	m.w.must(err)
	if !is && p != "" {
		is, err = hasData(background(), m.w.dir, p)
		m.w.must(err)
	}
	return is
}

func (m *managed) save() {
	w := m.w
	whole, before := w.there()
	was := m.m.Checkpoints()
	p, err := m.m.Save(background(), nil)
	w.must(err)
	if slices.Contains(before, p) {
		w.r.Fatalf("Save() = %s, which was there", p)
	}
	complete, after := w.there()
	for _, gone := range whole {
		if slices.Contains(after, gone) {
			continue
		}
		// A list that was rebuilt may have more.
		if slices.Contains(w.plains, gone) || !m.owns(gone) || m.calm && !slices.Contains(was, gone) {
			w.r.Fatalf("Save() by %s removed %s, list %v", m.name, gone, was)
		}
	}
	m.list = m.m.Checkpoints()
	kept := 0 // what has lost its index stays besides
	for _, listed := range m.list {
		if slices.Contains(complete, listed) {
			kept++
		}
	}
	if m.keep > 0 && kept > m.keep || m.list[len(m.list)-1] != p || m.m.LatestCheckpoint() != p {
		w.r.Fatalf("after Save() = %s the list is %v, the latest %s, MaxToKeep %d", p, m.list, m.m.LatestCheckpoint(), m.keep)
	}
	for _, listed := range m.list {
		if !m.lost && !slices.Contains(after, listed) {
			w.r.Fatalf("after Save() %s is listed and gone", listed)
		}
	}
	m.calm, m.torn = !m.lost, false
	w.tick()
}

// tick lets time pass: what is saved at the time of the last preserved
// checkpoint is not managed by the next manager.
func (w *promised) tick() { w.now.add(time.Second) }

func (m *managed) restore() (string, error) {
	p, err := m.m.RestoreOrInitialize(background())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.w.r.Fatal(err)
	}
	return p, err
}

func (m *managed) owns(p string) bool { return strings.HasPrefix(p, m.name+"-") }

// lose removes a file, as people do.
func (w *promised) lose() {
	_, all := w.there()
	if len(all) == 0 {
		return
	}
	p := rapid.SampledFrom(all).Draw(w.r, "path")
	for _, suffix := range []string{".index", ".data-00000-of-00001", ".receipt.json"} {
		if rapid.Bool().Draw(w.r, "lose"+suffix) {
			if err := w.dir.Remove(background(), p+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
				w.r.Fatal(err)
			}
		}
	}
	w.disturb()
	w.forget(p)
	for _, m := range w.managers {
		m.lost = true
	}
}

// forget: what is saved as p from now on may be a manager's.
func (w *promised) forget(p string) {
	w.plains = slices.DeleteFunc(w.plains, func(plain string) bool { return plain == p })
}

func (w *promised) loseState() {
	text := rapid.SampledFrom([]string{"", "garbage: x", "-"}).Draw(w.r, "text")
	if text != "-" {
		w.must(storage.WriteFile(background(), w.dir, filename.State, []byte(text)))
	} else if err := w.dir.Remove(background(), filename.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.r.Fatal(err)
	}
	for _, m := range w.managers {
		m.torn = true // the next state file may say nothing of it
	}
	w.disturb()
}

func (w *promised) plain() {
	c, _ := one(2)
	_, before := w.there()
	p, err := c.Save(background(), w.dir, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(w.r, "prefix"))
	w.must(err)
	if slices.Contains(before, p) {
		w.r.Fatalf("Checkpoint.Save() = %s, which was there", p)
	}
	w.plains = append(w.plains, p)
}

func (w *promised) remove() {
	_, all := w.there()
	if len(all) == 0 {
		return
	}
	p := rapid.SampledFrom(all).Draw(w.r, "path")
	w.must(Remove(background(), w.dir, p))
	w.forget(p)
	w.disturb()
}
