package checkpoint

import (
	"math"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/sharding"
)

// strictScenarios are what the power is cut in. What comes before record is
// only the past.
var strictScenarios = []struct {
	name string
	run  func(p *power)
}{
	{"the first save", func(p *power) {
		p.record()
		p.open()
		p.save("ckpt-1", 1, nil)
		p.close()
	}},
	{"later saves with sweeps", func(p *power) {
		p.o.MaxToKeep = 2
		p.past(2)
		p.record()
		p.save("ckpt-3", 3, nil)
		p.save("ckpt-4", 4, nil)
		p.close()
	}},
	{"only the newest is kept", func(p *power) {
		p.o.MaxToKeep = 1
		p.past(1)
		p.record()
		p.save("ckpt-2", 2, nil)
		p.close()
		p.open()
		p.restores(2)
		p.save("ckpt-3", 3, nil)
		p.close()
	}},
	{"a number is used again", func(p *power) {
		p.o.MaxToKeep = 2
		p.past(2)
		p.mark("ckpt-2", "pinned", true, func() error { return p.m.Pin(background(), "ckpt-2", "for ever") })
		p.record()
		p.save("ckpt-2", 3, &SaveOptions{CheckpointNumber: number64(2)})
		p.save("ckpt-2", 4, &SaveOptions{CheckpointNumber: number64(2)})
		p.close()
	}},
	{"the old ones are preserved", func(p *power) {
		p.o.MaxToKeep, p.o.KeepCheckpointEvery = 1, time.Second
		p.keeps = func(list []acked) []acked { return list }
		p.past(1)
		p.record()
		p.save("ckpt-2", 2, nil)
		p.save("ckpt-3", 3, nil)
		p.close()
	}},
	{"the best is kept", func(p *power) {
		p.o.Retention = retention.Any(retention.Latest(1), retention.Best(1, retention.Lowest("loss")))
		p.keeps = latestAndBest
		p.open()
		p.saveLoss("ckpt-1", 1, 0.5)
		p.saveLoss("ckpt-2", 2, 0.9)
		p.record()
		p.saveLoss("ckpt-3", 3, 0.7)
		p.saveLoss("ckpt-4", 4, 0.3)
		p.saveLoss("ckpt-5", 5, 0.6)
		p.close()
	}},
	{"marks", func(p *power) {
		p.o.MaxToKeep = 1
		p.past(1)
		p.record()
		p.mark("ckpt-1", "pinned", true, func() error { return Pin(background(), p.dir, "ckpt-1", "for ever") })
		p.save("ckpt-2", 2, nil)
		p.mark("ckpt-2", "tagged", true, func() error { return p.m.Tag(background(), "ckpt-2", "good") })
		p.mark("ckpt-2", "tagged", false, func() error { return p.m.Untag(background(), "ckpt-2", "good") })
		p.mark("ckpt-1", "pinned", false, func() error { return p.m.Unpin(background(), "ckpt-1") })
		p.save("ckpt-3", 3, nil)
		p.close()
	}},
	{"a rejected one", func(p *power) {
		p.o.MaxToKeep = 3
		p.past(2)
		p.record()
		p.mark("ckpt-2", "rejected", true, func() error { return Reject(background(), p.dir, "ckpt-2", "diverged") })
		p.mark("ckpt-2", "rejected", false, func() error { return Reject(background(), p.dir, "ckpt-2", "") })
		p.close()
	}},
	{"a reader's lease", func(p *power) {
		p.o.MaxToKeep = 1
		p.past(1)
		p.record()
		lease, err := TakeLease(background(), p.dir, "ckpt-1", &LeaseOptions{TTL: math.MaxInt64, Now: p.now.now})
		if err != nil {
			p.Fatal(err)
		}
		p.save("ckpt-2", 2, nil) // a power cut ends the reader, too, so that its lease need not survive
		if err := lease.Release(background()); err != nil {
			p.Fatal(err)
		}
		p.save("ckpt-3", 3, nil)
		p.close()
	}},
	{"shards", func(p *power) {
		p.o.MaxToKeep, p.ckpt.Sharding = 1, sharding.MaxShardSize(2048)
		p.past(1)
		p.record()
		p.save("ckpt-2", 2, nil)
		p.ckpt.Sharding = nil // another number of files
		p.save("ckpt-2", 3, &SaveOptions{CheckpointNumber: number64(2)})
		p.close()
	}},
	{"asynchronous saves", func(p *power) {
		p.o.MaxToKeep, p.o.Async = 2, &Async{Queue: 2}
		p.past(1)
		p.record()
		p.saveLater("ckpt-2", "ckpt-3", "ckpt-4")
		p.close()
	}},
	{"removals", func(p *power) {
		p.past(4)
		p.record()
		p.removal(func() error { return Remove(background(), p.dir, "ckpt-4") }, "ckpt-4")
		p.removal(func() error { _, err := RemoveUnheld(background(), p.dir, "ckpt-1"); return err }, "ckpt-1")
		p.removal(func() error {
			plan, err := PlanPrune(background(), p.dir, retention.Latest(1), &PlanOptions{Now: p.now.now})
			if err != nil {
				return err
			}
			return plan.Do(background())
		}, "ckpt-2")
		p.close()
	}},
	{"neighbours", func(p *power) {
		p.o.MaxToKeep = 1
		p.neighbour("other-1", 90)
		p.neighbour("sub/ckpt-7", 91)
		p.past(1)
		p.record()
		p.save("ckpt-2", 2, nil)
		p.close()
	}},
	{"written over", func(p *power) {
		p.plain = "m-1"
		p.write(1)
		p.record()
		p.write(2)
		p.write(3)
	}},
	{"written over without a receipt", func(p *power) {
		p.plain = "m-1"
		p.write(1)
		remove(p.T, p.dir, "m-1.receipt.json")
		p.settle()
		p.record()
		p.write(2)
	}},
	{"written over where the receipt is of another", func(p *power) {
		p.plain = "m-1"
		p.write(9)
		stale := readFile(p.T, p.dir, "m-1.receipt.json")
		p.write(1)
		writeFile(p.T, p.dir, "m-1.receipt.json", stale)
		p.settle()
		p.record()
		p.write(2)
	}},
	{"written over in other shards", func(p *power) {
		p.plain, p.ckpt.Sharding = "m-1", sharding.MaxShardSize(2048)
		p.write(1)
		p.ckpt.Sharding = nil
		p.record()
		p.write(2)
	}},
}

func latestAndBest(list []acked) (kept []acked) {
	best := -1
	for i, s := range list {
		if best < 0 || s.loss < list[best].loss {
			best = i
		}
	}
	for i, s := range list {
		if i == best || i == len(list)-1 {
			kept = append(kept, s)
		}
	}
	return kept
}

// past makes a manager that has saved n times.
func (p *power) past(n int) {
	p.Helper()
	async := p.o.Async
	p.o.Async = nil
	p.open()
	for i := range n {
		p.save("ckpt-"+string(rune('1'+i)), float32(i+1), nil)
	}
	p.close()
	p.o.Async = async
	p.settle()
	p.open()
	if _, err := p.m.RestoreOrInitialize(background()); err != nil {
		p.Fatal(err)
	}
}

// settle makes durable whatever there is.
func (p *power) settle() {
	p.Helper()
	if err := p.disk.SyncDir(strictRoot); err != nil {
		p.Fatal(err)
	}
}

// restores restores the newest.
func (p *power) restores(serial float32) {
	p.Helper()
	if _, err := p.m.RestoreOrInitialize(background()); err != nil {
		p.Fatal(err)
	}
	if got, err := serialOf(p.v); err != nil || got != serial {
		p.Fatalf("restored %v, %v, want %v", got, err, serial)
	}
}

func (p *power) saveLoss(path string, serial float32, loss float64) {
	p.Helper()
	p.save(path, serial, &SaveOptions{Metrics: map[string]float64{"loss": loss}})
}

// saveLater begins all saves before it waits for the first.
func (p *power) saveLater(paths ...string) {
	p.Helper()
	var handles []*Saving
	for i, path := range paths {
		p.begin(path, float32(10+i), 0)
		s, err := p.m.Begin(background(), nil)
		if err != nil || s.Path() != path {
			p.Fatalf("Begin = %v, %v, want %s", s, err, path)
		}
		handles = append(handles, s)
	}
	for _, s := range handles {
		if err := s.Wait(background()); err != nil {
			p.Fatal(err)
		}
		p.saved()
	}
}

// neighbour writes a checkpoint that is none of the manager's.
func (p *power) neighbour(path string, serial float32) {
	p.Helper()
	c, v := p.objects()
	setTo(c, v, serial)
	if err := c.Write(background(), p.dir, path); err != nil {
		p.Fatal(err)
	}
	p.model.were[path] = []float32{serial}
	p.foreign = append(p.foreign, acked{path: path, serial: serial})
}

// write writes the plain checkpoint again.
func (p *power) write(serial float32) {
	p.Helper()
	p.c, p.v = p.objects()
	p.begin(p.plain, serial, 0)
	if err := p.c.Write(background(), p.dir, p.plain); err != nil {
		p.Fatal(err)
	}
	p.saved()
}

// TestPowerCuts cuts the power everywhere in what a training does.
//
// Proves D1, D2, D3, D4, D5, D8, D9, D10, D11.
func TestPowerCuts(t *testing.T) {
	for _, s := range strictScenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(nil))
			s.run(p)
			p.cutEverywhere()
		})
	}
}

// TestPowerCutsWithAJournal does the same on a file system whose names reach
// the disk in their order, as those of most disks do. There nothing is left
// over that nobody knows.
//
// Proves D5.
func TestPowerCutsWithAJournal(t *testing.T) {
	for _, s := range strictScenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(&vfstest.StrictOptions{Journal: true, WholeRenames: true}))
			p.journal = true
			s.run(p)
			p.cutEverywhere()
		})
	}
}

// TestWindows does the same where files that are open keep their names, and
// ends the process everywhere.
func TestWindows(t *testing.T) {
	for _, s := range strictScenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(&vfstest.StrictOptions{Windows: true}))
			p.kills, p.journal = true, true
			s.run(p)
			p.cutEverywhere()
		})
	}
}

// TestPowerCutsInRecoveries cuts the power, and then in what the next process
// does about it, and in what the one after that does.
//
// Proves D6.
func TestPowerCutsInRecoveries(t *testing.T) {
	for _, s := range strictScenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(nil))
			s.run(p)
			p.cutTwice(100)
		})
	}
}
