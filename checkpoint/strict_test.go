package checkpoint

import (
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// The tests of these files cut the power after every operation of a scenario,
// with all that was not flushed lost, kept, each part of it alone kept or lost,
// and random parts; then they look at what is left, as a reader and as the
// next writer. See vfstest.Strict for what a power cut may leave.
//
// To repeat what a failure tells: CKPT_CUT='17 all but 3' go test -run 'Test/scenario'

// cutEnv names the point and the cut to try, instead of all.
const cutEnv = "CKPT_CUT"

const strictRoot = "/runs/model"

// acked is a checkpoint as a power remembers it.
type acked struct {
	path   string
	serial float32 // which save it was: what it holds
	loss   float64
	held   bool // by a lease that outlives its holder
	going  bool // its removal has begun
	marks  map[string]bool
	unsure map[string]bool // marks that are being set or taken away
}

// model is what must be there after a power cut.
//
// After a power cut it may be unknown whether what was under way is there. Then
// there are several lists, of which one is true.
type model struct {
	lists [][]acked            // acknowledged and not removed by a rule, oldest first
	begun []acked              // not acknowledged
	were  map[string][]float32 // what a path may hold, if anything
}

func newModel() model { return model{lists: [][]acked{nil}, were: make(map[string][]float32)} }

func (m model) clone() model {
	c := model{lists: slices.Clone(m.lists), begun: slices.Clone(m.begun), were: make(map[string][]float32)}
	for p, s := range m.were {
		c.were[p] = slices.Clone(s)
	}
	return c
}

// point is a moment at which the power may be cut.
type point struct {
	op      string
	disk    *vfstest.Strict
	model   model
	version int
}

// power runs a scenario and remembers its points.
type power struct {
	*testing.T
	o       ManagerOptions
	ckpt    Options
	plain   string                // not a manager's: a checkpoint of this path is written again and again
	keeps   func([]acked) []acked // what the rules keep of a list; nil: MaxToKeep's
	foreign []acked               // not the manager's, to be left alone
	kills   bool                  // no power cuts, only the end of the process
	journal bool                  // names reach the disk in order
	large   int                   // bytes of a variable, so many that data files go past the system's cache
	steady  bool                  // there are tensors that do not change at every save
	disk    *vfstest.Strict
	dir     storage.Dir
	now     *clock
	c       *Checkpoint
	v       *variableF
	m       *Manager

	mu      sync.Mutex
	on      bool
	model   model
	version int
	points  []point

	at     string // of a recovery: the cut before it
	met    int    // cuts, tried or not
	tried  int
	states map[string]bool
}

func newPower(t *testing.T, disk *vfstest.Strict) *power {
	p := &power{T: t, disk: disk, dir: local.DirOn(disk, strictRoot), now: at(1000), model: newModel()}
	return p
}

// record remembers points from now on.
func (p *power) record() {
	p.on = true
	p.point("before")
	p.disk.Watch(func(op vfstest.Op, s *vfstest.Strict) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.points = append(p.points, point{op.String(), s, p.model.clone(), p.version})
	})
}

func (p *power) point(what string) {
	if !p.on {
		return
	}
	s := p.disk.Clone() // not under the lock: Watch takes both in the other order
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points = append(p.points, point{what, s, p.model.clone(), p.version})
}

// change changes what must be there, when something was acknowledged or begins.
func (p *power) change(what string, do func(m *model)) {
	p.mu.Lock()
	do(&p.model)
	p.version++
	p.mu.Unlock()
	p.point(what)
}

const weightsLen = 1100 // more than a block

// weights is what the save of a serial number saves.
func weights(serial float32) []float32 {
	w := make([]float32, weightsLen)
	for i := range w {
		w[i] = serial + float32(i)/4096
	}
	return w
}

// objects returns what the scenarios save.
func (p *power) objects() (*Checkpoint, *variableF) {
	v := variable(weights(-1)...)
	o, objects := p.ckpt, Objects{"v": v}
	if p.large > 0 {
		objects["large"] = largeVariable(p.large)
	}
	if p.steady {
		for name := range steadyAt(0) {
			objects[name] = variable(make([]float32, weightsLen)...)
		}
	}
	c := New(nil, objects, &o)
	smallPieces(c)
	return c, v
}

// open opens a manager, as a new process does.
func (p *power) open() *Manager {
	p.Helper()
	p.c, p.v = p.objects()
	o := p.o
	o.Now = p.now.now
	m, err := NewManager(background(), p.c, p.dir, &o)
	if err != nil {
		p.Fatalf("NewManager: %v", err)
	}
	p.m = m
	return m
}

func (p *power) close() {
	p.Helper()
	if err := p.m.Close(background()); err != nil {
		p.Fatalf("Close: %v", err)
	}
}

// begin tells that a save begins, and gives the objects their values.
func (p *power) begin(path string, serial float32, loss float64) {
	p.now.set(1000 + float64(serial))
	setTo(p.c, p.v, serial)
	p.change("begin to save "+path, func(m *model) {
		m.begun = append(m.begun, acked{path: path, serial: serial, loss: loss})
		m.were[path] = append(m.were[path], serial)
	})
}

// saved tells that the oldest save under way was acknowledged.
func (p *power) saved() {
	p.change("acknowledged", func(m *model) {
		s := m.begun[0]
		m.begun = slices.Clone(m.begun[1:])
		m.were[s.path] = []float32{s.serial}
		for _, b := range m.begun {
			if b.path == s.path {
				m.were[s.path] = append(m.were[s.path], b.serial)
			}
		}
		m.each(func(list []acked) []acked { return p.kept(p.after(list, s)) })
	})
}

// after returns a list with another save.
func (p *power) after(list []acked, s acked) []acked {
	list = slices.DeleteFunc(slices.Clone(list), func(old acked) bool { return old.path == s.path })
	return append(list, s)
}

// kept returns what the rules keep of a list.
func (p *power) kept(list []acked) []acked {
	if p.keeps != nil {
		return p.keeps(list)
	}
	n := p.o.MaxToKeep
	if n == 0 {
		n = len(list)
	}
	var kept []acked
	for i, s := range list {
		if i >= len(list)-n || s.held || s.marks["pinned"] {
			kept = append(kept, s)
		}
	}
	return kept
}

// save saves; path is the one to expect.
func (p *power) save(path string, serial float32, o *SaveOptions) {
	p.Helper()
	loss := float64(serial)
	if o != nil && o.Metrics != nil {
		loss = o.Metrics["loss"]
	}
	p.begin(path, serial, loss)
	got, err := p.m.Save(background(), o)
	if err != nil || got != path {
		p.Fatalf("Save = %q, %v, want %q", got, err, path)
	}
	p.saved()
}

// each changes every list.
func (m *model) each(change func([]acked) []acked) {
	lists := make([][]acked, len(m.lists))
	for i, list := range m.lists {
		lists[i] = change(slices.Clone(list))
	}
	m.lists = lists
}

// where changes what is remembered of a checkpoint.
func (m *model) where(path string, change func(*acked)) {
	m.each(func(list []acked) []acked {
		for i := range list {
			if list[i].path == path {
				change(&list[i])
			}
		}
		return list
	})
}

// mark runs what sets or takes away a mark of a checkpoint.
func (p *power) mark(path, mark string, is bool, do func() error) {
	p.Helper()
	p.change("begin to mark "+path, func(m *model) {
		m.where(path, func(s *acked) { s.unsure = map[string]bool{mark: true} })
	})
	if err := do(); err != nil {
		p.Fatalf("%s %s = %v", mark, path, err)
	}
	p.change("acknowledged", func(m *model) {
		m.where(path, func(s *acked) {
			marks := map[string]bool{mark: is}
			for k, v := range s.marks {
				if k != mark {
					marks[k] = v
				}
			}
			s.marks, s.unsure = marks, nil
		})
	})
}

// removal runs what removes checkpoints.
func (p *power) removal(do func() error, paths ...string) {
	p.Helper()
	p.change("begin to remove "+strings.Join(paths, " "), func(m *model) {
		for _, path := range paths {
			m.where(path, func(s *acked) { s.going = true })
		}
	})
	if err := do(); err != nil {
		p.Fatalf("remove %v = %v", paths, err)
	}
	p.change("acknowledged", func(m *model) {
		m.each(func(list []acked) []acked {
			return slices.DeleteFunc(list, func(s acked) bool { return s.going })
		})
	})
}

// cutEverywhere cuts the power at every point, and looks at what is left.
func (p *power) cutEverywhere() {
	p.Helper()
	p.cutAll(torture.Times(32, 500), 1, 0)
	p.Logf("%d points, %d cuts, %d different states", len(p.points), p.tried, len(p.states))
	torture.Count(p.T, "crash states", p.tried)
}

// cutTwice cuts the power again in what the next writer does then, at some of
// the states that the first cut has left, or all; and in some of these again.
func (p *power) cutTwice(every int) {
	p.Helper()
	p.cutAll(0, torture.Times(every, 4), 2)
	p.Logf("%d points, %d cuts", len(p.points), p.tried)
	torture.Count(p.T, "crash states in recoveries", p.tried)
}

// cutAll tries random cuts besides those that are not. At every so many
// different states it looks deeper.
func (p *power) cutAll(random, every, deep int) {
	p.Helper()
	p.states = make(map[string]bool)
	for n, pt := range p.points {
		for cut := range allCuts(pt.disk, random) {
			if p.kills && cut.Name != killed {
				continue
			}
			at := p.at + fmt.Sprintf("%d %s", n, cut.Name)
			if only := os.Getenv(cutEnv); only != "" && only != at && !strings.HasPrefix(only, at+", ") {
				continue
			}
			if p.met++; p.met%torture.Thin(97) != 0 && p.at == "" {
				continue
			}
			p.tried++
			left := pt.disk.Crash(cut)
			if cut.Name == killed {
				left = pt.disk.Clone()
			}
			key := fmt.Sprintf("%x %d", left.Digest(unread), pt.version)
			if p.states[key] && (cut.Name != killed || deep > 0) {
				continue
			}
			p.states[key] = true
			if deep > 0 && len(p.states)%every == 0 {
				p.recover(pt, at, left, deep)
			} else if deep == 0 || p.at != "" {
				p.look(pt, at, left)
			}
			if p.Failed() {
				return
			}
		}
	}
}

// recover lets the next writer go on, as look does, and cuts the power in that.
func (p *power) recover(pt point, at string, left *vfstest.Strict, deep int) {
	p.Helper()
	dry := &looker{p: p, model: pt.model, disk: left.Clone()}
	dry.dir = local.DirOn(dry.disk, strictRoot)
	path := dry.write()
	if len(dry.problems) > 0 {
		p.look(pt, at, left)
		return
	}
	q := newPower(p.T, left)
	q.o, q.ckpt, q.plain, q.keeps, q.journal, q.foreign = p.o, p.ckpt, p.plain, p.keeps, p.journal, p.foreign
	q.model, q.at = pt.model.clone(), at+", "
	q.model.lists, q.model.begun = (&looker{p: p, model: pt.model}).listsAndGoing(), nil
	q.record()
	next := acked{path: path, serial: nextSerial, loss: nextSerial}
	q.change("recovery begins", func(m *model) {
		m.begun = []acked{next}
		m.were[path] = append(m.were[path], nextSerial)
	})
	l := &looker{p: q, model: pt.model, disk: left, dir: q.dir}
	l.write()
	q.saved()
	q.cutAll(2, 9, deep-1)
	p.tried += q.tried
}

// unread tells the files whose bytes nobody reads.
func unread(name string) bool {
	return strings.HasPrefix(name, ".ckpt.tmp-") || strings.HasPrefix(name, ".ckpt.lock-")
}

const killed = "killed"

// allCuts are the power cuts, and the end of the process by itself.
func allCuts(disk *vfstest.Strict, random int) iter.Seq[vfstest.Cut] {
	return func(yield func(vfstest.Cut) bool) {
		for cut := range disk.Cuts(random, 1) {
			if !yield(cut) {
				return
			}
		}
		kill := vfstest.KeepAll()
		kill.Name = killed
		yield(kill)
	}
}
