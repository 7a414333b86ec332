package checkpoint

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// dear returns a manager whose saves take as long as cost says, by the clock
// of a simulated training.
func dear(t *testing.T, every schedule.Schedule, c *clock, cost *time.Duration) (*Manager, func() *Manager) {
	t.Helper()
	dir := mem.Dir()
	open := func() *Manager {
		x, _ := one(1)
		hooks := &Hooks{BeforeSave: func(context.Context, string) error { c.add(*cost); return nil }}
		return newManager(t, x, dir, &ManagerOptions{Every: every, MaxToKeep: 2, Hooks: hooks, Now: c.now})
	}
	return open(), open
}

// train makes steps of a second each and returns how many of them saved, and
// the share of the time that saves took.
func train(t *testing.T, m *Manager, c *clock, steps int, cost func(step int) time.Duration, next *time.Duration) (saves int, share float64) {
	t.Helper()
	begin, paid := c.now(), m.Stats().Stall.Total
	for i := range steps {
		c.add(time.Second)
		*next = cost(i)
		if mustSave(t, m, nil) != "" {
			saves++
		}
	}
	return saves, (m.Stats().Stall.Total - paid).Seconds() / c.now().Sub(begin).Seconds()
}

func TestAutoKeepsItsShareOfASimulatedTraining(t *testing.T) {
	var cost time.Duration
	c := at(1000)
	m, _ := dear(t, schedule.Auto(.05), c, &cost)
	varying := func(i int) time.Duration { return time.Duration(1+i%7) * time.Second }
	saves, share := train(t, m, c, 5000, varying, &cost)
	if share > .0515 || share < .04 || saves < 30 { // the last one is not paid for yet
		t.Errorf("%d saves took %.4f of the time, want no more than 0.05 of it, and not much less", saves, share)
	}
}

func TestAutoGoesOnAfterARestartFromTheLastReceipt(t *testing.T) {
	cost := 4 * time.Second
	c := at(1000)
	m, open := dear(t, schedule.Auto(.1), c, &cost)
	same := func(int) time.Duration { return cost }
	if saves, _ := train(t, m, c, 10, same, &cost); saves != 1 {
		t.Fatalf("%d saves in 10 seconds, want the first", saves)
	}
	m = open()
	if saves, _ := train(t, m, c, 25, same, &cost); saves != 0 {
		t.Errorf("%d saves right after a restart, want none before 40 seconds", saves)
	}
	if saves, _ := train(t, m, c, 10, same, &cost); saves != 1 {
		t.Errorf("%d saves when 40 seconds were over, want 1", saves)
	}
}

func TestAutoIsNotDueWhileASaveIsUnderWay(t *testing.T) {
	dir, c := newGated(), at(1000)
	x, _ := one(1)
	m := newManager(t, x, dir, &ManagerOptions{Every: schedule.Auto(0), Now: c.now, Async: &Async{Queue: 5}})
	mustBegin(t, m, nil)
	<-dir.entered
	c.add(time.Hour)
	if s, err := m.Begin(background(), nil); s != nil || err != nil {
		t.Errorf("Begin after an hour of writing = %v, %v, want none", s, err)
	}
	dir.let(1)
	mustSync(t, m)
	dir.let(1)
	mustBegin(t, m, nil)
}

func TestStatsCountWhatBecameOfSaves(t *testing.T) {
	var cost time.Duration
	c := at(1000)
	m, _ := dear(t, schedule.Steps(10), c, &cost)
	step := int64(0)
	m.o.StepCounter = func() int64 { return step }
	refuse, hook := errors.New("not now"), m.o.Hooks.BeforeSave
	for step = range int64(41) {
		cost = time.Duration(step) * time.Second
		m.o.Hooks.BeforeSave = hook
		if step == 30 {
			m.o.Hooks.BeforeSave = func(context.Context, string) error { c.add(cost); return refuse }
		}
		if _, err := m.Save(background(), nil); (err != nil) != (step == 30) {
			t.Fatalf("Save at step %d = %v", step, err)
		}
	}
	got := m.Stats()
	if got.Saves != 4 || got.Failed != 1 || got.Skipped != 0 {
		t.Errorf("Stats() = %+v, want 4 saves (10, 20, 31, 40), one failed", got)
	}
	if want := (Spent{5, 40 * time.Second, (10 + 20 + 30 + 31 + 40) * time.Second}); got.Stall != want || got.Stall.Mean() != want.Total/5 {
		t.Errorf("Stats().Stall = %+v, mean %v, want %+v", got.Stall, got.Stall.Mean(), want)
	}
	if size := storedBytes(t, m); got.Last != size || got.Bytes != 4*size {
		t.Errorf("Stats() tells %d bytes, the last of %d, want 4 times %d", got.Bytes, got.Last, size)
	}
}

// storedBytes returns the bytes of the latest checkpoint, without its receipt.
func storedBytes(t *testing.T, m *Manager) (n int64) {
	t.Helper()
	r, err := ReadReceipt(background(), m.Directory(), m.LatestCheckpoint())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Files {
		n += f.Size
	}
	return n
}

func TestStatsCountAsynchronousSaves(t *testing.T) {
	dir := newGated()
	x, _ := one(1)
	m := newManager(t, x, dir, &ManagerOptions{Async: &Async{Queue: 1, WhenFull: Skip}})
	mustBegin(t, m, nil)
	failing := mustBegin(t, m, nil)
	if s, err := m.Begin(background(), nil); s != nil || err != nil {
		t.Errorf("Begin with a full queue = %v, %v, want none", s, err)
	}
	dir.let(1)
	dir.pass <- errDisk
	if err := failing.Wait(background()); !errors.Is(err, errDisk) {
		t.Fatalf("Wait = %v, want %v", err, errDisk)
	}
	got := m.Stats()
	if got.Saves != 1 || got.Failed != 1 || got.Skipped != 1 || got.Stall.Times != 2 || got.Write.Times != 1 {
		t.Errorf("Stats() = %+v, want one each saved, failed and skipped", got)
	}
	if got.Write.Last != m.SaveDuration() || got.Bandwidth() <= 0 || got.Bandwidth() != got.LastBandwidth() {
		t.Errorf("Stats() = %+v, %v bytes a second, SaveDuration() = %v", got, got.Bandwidth(), m.SaveDuration())
	}
}

func TestStatsMayBeAskedForDuringSaves(t *testing.T) {
	x, _ := one(1)
	m := newManager(t, x, mem.Dir(), &ManagerOptions{Async: &Async{Queue: 2}, MaxToKeep: 2})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 50 {
			mustSave(t, m, nil)
		}
	}()
	for last := int64(0); ; {
		s := m.Stats()
		if s.Saves < last {
			t.Errorf("Stats().Saves fell from %d to %d", last, s.Saves)
		}
		last = s.Saves
		select {
		case <-done:
			mustSync(t, m)
			if s := m.Stats(); s.Saves != 50 || s.Write.Times != 50 {
				t.Errorf("Stats() = %+v, want 50 saves", s)
			}
			return
		default:
		}
	}
}

func TestNoSavesHaveNoBandwidth(t *testing.T) {
	if s := (Stats{}); s.Bandwidth() != 0 || s.LastBandwidth() != 0 || s.Stall.Mean() != 0 {
		t.Errorf("Bandwidth() = %v, LastBandwidth() = %v, Mean() = %v, want zeros", s.Bandwidth(), s.LastBandwidth(), s.Stall.Mean())
	}
}
