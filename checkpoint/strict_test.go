package checkpoint

import (
	"fmt"
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
type model struct {
	list  []acked              // acknowledged and not removed by a rule, oldest first
	begun []acked              // not acknowledged
	were  map[string][]float32 // what a path may hold, if anything
}

func (m model) clone() model {
	c := model{list: slices.Clone(m.list), begun: slices.Clone(m.begun), were: make(map[string][]float32)}
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
	journal bool                  // names reach the disk in order
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
}

func newPower(t *testing.T, disk *vfstest.Strict) *power {
	p := &power{T: t, disk: disk, dir: local.DirOn(disk, strictRoot), now: at(1000), model: model{}.clone()}
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
	o := p.ckpt
	return New(nil, Objects{"v": v}, &o), v
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
	copy(p.v.Value, weights(serial))
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
		m.list = p.kept(p.after(m.list, s))
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

// where changes what is remembered of a checkpoint.
func (m *model) where(path string, change func(*acked)) {
	m.list = slices.Clone(m.list)
	for i := range m.list {
		if m.list[i].path == path {
			change(&m.list[i])
		}
	}
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
		m.list = slices.DeleteFunc(slices.Clone(m.list), func(s acked) bool { return s.going })
	})
}

// maxFailures bounds what is told: one mistake shows in thousands of states.
const maxFailures = 5

// cutEverywhere cuts the power at every point, and looks at what is left.
// Further cuts, in what the next writer does then, it makes as deep as told.
func (p *power) cutEverywhere(deep int) {
	random := torture.Times(32, 500)
	tried, states := 0, make(map[string]bool)
	for n, pt := range p.points {
		for cut := range allCuts(pt.disk, random) {
			at := fmt.Sprintf("%d %s", n, cut.Name)
			if only := os.Getenv(cutEnv); only != "" && only != at {
				continue
			}
			tried++
			left := pt.disk.Crash(cut)
			if cut.Name == killed {
				left = pt.disk.Clone()
			}
			key := fmt.Sprintf("%x %d", left.Digest(unread), pt.version)
			if states[key] && cut.Name != killed {
				continue
			}
			states[key] = true
			p.look(pt, at, left, deep)
			if p.Failed() {
				return
			}
		}
	}
	p.Logf("%d points, %d cuts, %d different states", len(p.points), tried, len(states))
	torture.Count(p.T, "crash states", tried)
}

// unread tells the files whose bytes nobody reads.
func unread(name string) bool {
	return strings.HasPrefix(name, ".ckpt.tmp-") || strings.HasPrefix(name, ".ckpt.lock-")
}

const killed = "killed"

// allCuts are the power cuts, and the end of the process by itself.
func allCuts(disk *vfstest.Strict, random int) func(func(vfstest.Cut) bool) {
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
