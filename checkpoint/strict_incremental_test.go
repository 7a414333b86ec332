package checkpoint

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/queue"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// steadyAt tells what tensors hold in the save of a serial number that other
// saves may hold, too.
func steadyAt(serial float32) map[string]float32 {
	return map[string]float32{"base": 600, "slow": 700 + float32(math.Floor(float64(serial)/2))}
}

// setTo gives the objects of c their values in the save of a serial number.
func setTo(c *Checkpoint, v *variableF, serial float32) {
	copy(v.Value, weights(serial))
	for name, s := range steadyAt(serial) {
		// What has its value is not written: an asynchronous save may be reading it.
		if x, is := child(c, name).(*variableF); is && !slices.Equal(x.Value, weights(s)) {
			copy(x.Value, weights(s))
		}
	}
}

// verify reads all that there is of a checkpoint, which was restored into c.
func (l *looker) verify(c *Checkpoint, path string, serial float32) error {
	for name, s := range steadyAt(serial) {
		if x := child(c, name).(*variableF); !slices.Equal(x.Value, weights(s)) {
			return fmt.Errorf("%s is of another save: it begins with %v, want %v", name, x.Value[:2], s)
		}
	}
	r, err := Load(background(), l.dir, path)
	if err != nil {
		return err
	}
	return closing(r, r.Verify(background(), nil))
}

// linking are the scenarios of incremental saves. They do not say that anything
// is linked; hasLinked does, of what they leave.
var linking = []struct {
	name    string
	run     func(p *power)
	journal bool // a first write of several files in a place that nobody tidies: one may stay where names have no order
}{
	{name: "saves with sweeps", run: func(p *power) {
		p.o.MaxToKeep, p.ckpt.Incremental = 2, &Incremental{Rewrite: 2}
		p.past(1)
		p.record()
		for i := range 4 { // linked, regrouped, and written anew
			p.save(fmt.Sprint("ckpt-", 2+i), float32(2+i), nil)
		}
		p.close()
	}},
	{name: "only the newest is kept", run: func(p *power) {
		p.o.MaxToKeep, p.ckpt.Incremental = 1, &Incremental{}
		p.open()
		p.save("ckpt-1", 1, nil)
		p.record()
		p.save("ckpt-2", 2, nil)
		p.save("ckpt-3", 3, nil)
		p.close()
	}},
	{name: "asynchronous saves", run: func(p *power) {
		p.o.MaxToKeep, p.o.Async = 2, &Async{Queue: 2}
		p.ckpt.Incremental = &Incremental{}
		p.ckpt.Frozen = func(name string) bool { return strings.HasPrefix(name, "base/") }
		p.past(1)
		p.record()
		p.saveLater("ckpt-2", "ckpt-3")
		p.saveLater("ckpt-4")
		p.close()
	}},
	{name: "parity", run: func(p *power) {
		p.o.MaxToKeep, p.ckpt = 1, Options{Incremental: &Incremental{}, Parity: true}
		p.open()
		p.save("ckpt-1", 2, nil)
		p.record()
		p.save("ckpt-2", 3, nil)
		p.close()
	}},
	{name: "a number is used again", run: func(p *power) {
		p.o.MaxToKeep, p.ckpt.Incremental = 2, &Incremental{}
		p.past(2)
		p.record()
		p.save("ckpt-3", 3, nil)
		p.save("ckpt-2", 4, &SaveOptions{CheckpointNumber: number64(2)})
		p.save("ckpt-5", 5, nil)
		p.close()
	}},
	{name: "a path is taken while a save waits", journal: true, run: func(p *power) {
		p.ckpt = Options{Incremental: &Incremental{}, Async: &Async{Queue: 3}}
		p.plain = "m-2"
		p.c, p.v = p.objects()
		p.begin("m-1", 50, 0)
		if err := p.c.Write(background(), p.dir, "m-1"); err != nil {
			p.Fatal(err)
		}
		if err := p.c.Sync(background()); err != nil {
			p.Fatal(err)
		}
		p.saved()
		p.ckpt.Async = nil // for whoever comes next
		p.settle()
		p.record()
		both := make(chan bool)
		p.c.queue.Put(queue.Job{Owner: p, Run: func() { <-both }}, queue.Limit{Waiting: 3})
		for _, serial := range []float32{51, 51.5} {
			p.begin("m-2", serial, 0)
			if err := p.c.Write(background(), p.dir, "m-2"); err != nil {
				p.Fatal(err)
			}
		}
		close(both)
		if err := p.c.Sync(background()); err != nil {
			p.Fatal(err)
		}
		p.saved()
		p.saved()
	}},
}

// hasLinked fails unless the scenario has linked something.
func (p *power) hasLinked() {
	p.Helper()
	list, err := List(background(), p.dir, nil)
	if err != nil {
		p.Fatal(err)
	}
	for _, e := range list {
		if linked, _ := linkedOf(p.T, p.dir, e.Path); len(linked) > 0 {
			return
		}
	}
	p.Error("nothing was linked")
}

// TestPowerCutsInIncrementalSaves cuts the power everywhere in saves that link
// files. What is listed then has all its bytes.
//
// Proves D1, D2, D3, D4, D5, D9, D10, D30.
func TestPowerCutsInIncrementalSaves(t *testing.T) {
	for _, s := range linking {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(&vfstest.StrictOptions{Journal: s.journal, WholeRenames: s.journal}))
			p.steady, p.journal = true, s.journal
			s.run(p)
			p.hasLinked()
			p.cutEverywhere()
		})
	}
}

// TestWindowsInIncrementalSaves ends the process everywhere where files that
// are open keep their names.
func TestWindowsInIncrementalSaves(t *testing.T) {
	for _, s := range linking {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(&vfstest.StrictOptions{Windows: true}))
			p.steady, p.kills, p.journal = true, true, true
			s.run(p)
			p.hasLinked()
			p.cutEverywhere()
		})
	}
}
