package checkpoint

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

// life is a directory in which two Checkpoints save incrementally, and what each
// checkpoint of it has to hold.
type life struct {
	*testing.T
	r     *rand.Rand
	dir   storage.Dir
	both  [2]*layers
	m     *Manager // of the first
	holds map[string][][]float32
	next  float32
	steps []string // for who reads of a failure
}

// TestRandomLivesOfIncrementalSaves: whatever two Checkpoints of one process do in a
// directory, each checkpoint of it holds the values of its save, and nothing else.
//
// Proves D30.
func TestRandomLivesOfIncrementalSaves(t *testing.T) {
	linked := 0
	for seed := range uint64(6) {
		for place, dir := range bothPlaces(t) {
			t.Run(fmt.Sprint(place, seed), func(t *testing.T) {
				l := &life{T: t, r: rand.New(rand.NewPCG(seed, 7)), dir: dir, holds: make(map[string][][]float32)}
				l.begin(seed)
				for range 45 {
					l.step()
				}
				l.sync()
				for p, want := range l.holds {
					holds(t, dir, p, want)
					files, _ := linkedOf(t, dir, p)
					linked += len(files)
				}
				if list, err := Orphans(background(), dir); err != nil || len(list) > 0 {
					t.Errorf("Orphans = %v, %v, want none", list, err)
				}
				if t.Failed() {
					t.Log(l.steps)
				}
			})
		}
	}
	if linked == 0 {
		t.Error("nothing was linked")
	}
}

// begin makes the Checkpoints, of other options with each seed.
func (l *life) begin(seed uint64) {
	for i := range l.both {
		o := Options{Incremental: &Incremental{Rewrite: 1 + int(seed)%5}, Parity: seed%3 == 1 && i == 0}
		if seed%2 == 1 {
			o.Async = &Async{Queue: 3}
			o.SnapshotMemory = int64(seed%4) * 700
		}
		l.both[i] = newLayers(&o, 40, 900, 300, 500, 300)
	}
	l.m = newManager(l.T, l.both[0].c, l.dir, &ManagerOptions{MaxToKeep: 4, Async: l.both[0].c.o.Async})
}

// step does something at random.
func (l *life) step() {
	who := l.r.IntN(2)
	c := l.both[who]
	for i := range c.vars {
		if l.r.IntN(2*i+2) == 0 {
			l.next++
			c.set(i, l.next)
		}
	}
	do := []func(*layers){l.write, l.write, l.save, l.save, l.save, l.remove, l.restore, l.lose}[l.r.IntN(8)]
	do(c)
}

func (l *life) note(format string, args ...any) {
	l.steps = append(l.steps, fmt.Sprintf(format, args...))
}

func (l *life) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatalf("%v\nafter %q", err, l.steps)
	}
}

func (l *life) sync() {
	l.Helper()
	for _, c := range l.both {
		l.must(c.c.Sync(background()))
	}
	l.must(l.m.Sync(background()))
}

// write writes to one of a few names, which may be taken.
func (l *life) write(c *layers) {
	p := fmt.Sprint("m-", l.r.IntN(4))
	l.note("write %s", p)
	if _, taken := l.holds[p]; taken || c != l.both[0] {
		l.sync() // or nobody could tell whose is the later one
	}
	l.must(c.c.Write(background(), l.dir, p))
	l.holds[p] = c.values()
	if c != l.both[0] {
		l.sync()
	}
}

// save saves by the manager, whose retention then removes.
func (l *life) save(*layers) {
	p := mustSave(l.T, l.m, nil)
	l.note("save %s", p)
	l.holds[p] = l.both[0].values()
	l.sync()
	there := onDisk(l.T, l.dir)
	for p := range l.holds {
		if !slices.Contains(there, p) {
			delete(l.holds, p)
		}
	}
}

// one returns a checkpoint that is there, "" if there is none.
func (l *life) one() string {
	l.sync()
	var all []string
	for p := range l.holds {
		all = append(all, p)
	}
	if slices.Sort(all); len(all) == 0 {
		return ""
	}
	return all[l.r.IntN(len(all))]
}

func (l *life) remove(*layers) {
	if p := l.one(); p != "" && p[0] == 'm' {
		l.note("remove %s", p)
		l.must(Remove(background(), l.dir, p))
		delete(l.holds, p)
	}
}

func (l *life) restore(c *layers) {
	p := l.one()
	if p == "" {
		return
	}
	l.note("restore %s", p)
	_, err := c.c.Read(background(), l.dir, p)
	l.must(err)
	if want := l.holds[p]; !slices.EqualFunc(c.values(), want, slices.Equal[[]float32]) {
		l.Fatalf("Read(%s) gave other values\nafter %q", p, l.steps)
	}
}

// lose lets a file of a checkpoint be replaced by one that has other bytes, which is
// what a restore finds, and nobody links.
func (l *life) lose(c *layers) {
	p := l.one()
	if p == "" || p[0] != 'm' {
		return
	}
	for _, name := range listing(l.T, l.dir) {
		if len(name) > len(p)+5 && name[:len(p)+5] == p+".data" {
			l.note("lose %s", name)
			text := []byte(readFile(l.T, l.dir, name))
			text[len(text)/2] ^= 1
			writeFile(l.T, l.dir, name, string(text))
		}
	}
	r, err := Load(background(), l.dir, p)
	if err == nil {
		err = closing(r, r.Verify(background(), nil))
	}
	if err == nil {
		l.Errorf("Verify(%s) = nil, want damage", p)
	}
	delete(l.holds, p)
}
