package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// life is all that a victim lives to do: session after session of a manager.
type life struct {
	teller
	dir    storage.Dir
	rule   rule
	random *rand.Rand
	serial uint64

	endless bool // the session does not end
	c       *content
	m       *checkpoint.Manager
	waiting sync.WaitGroup // who waits for saves under way, to tell
	mu      sync.Mutex
	errs    []error
	pinned  []string
}

func newLife(root string, r rule, seed, serial uint64) *life {
	l := &life{rule: r, random: rand.New(rand.NewPCG(seed, 0)), serial: serial}
	l.dir = local.DirOn(vfstest.Hook(vfs.OS(), l.operation), root)
	return l
}

// one reports true once in n times.
func (l *life) one(n int) bool { return l.random.IntN(n) == 0 }

// session opens a manager, goes on from the newest checkpoint, saves a few
// times, and closes it.
func (l *life) session(ctx context.Context) error {
	l.c = newContent()
	o := &checkpoint.Options{Parity: l.one(4)}
	if l.one(3) {
		o.Sharding = sharding.MaxShardSize(9000)
	}
	mo := new(checkpoint.ManagerOptions)
	l.rule.set(mo)
	if l.one(2) {
		mo.Async = &checkpoint.Async{Queue: l.random.IntN(3)}
	}
	l.say("open")
	m, err := checkpoint.NewManager(ctx, checkpoint.New(nil, l.c.objects(), o), l.dir, mo)
	if err != nil {
		return err
	}
	l.m, l.pinned = m, nil
	if err := l.restore(ctx); err != nil {
		return err
	}
	for n := 2 + l.random.IntN(8); n > 0 || l.endless; n-- {
		if err := l.step(ctx); err != nil {
			return err
		}
	}
	return l.end(ctx)
}

func (l *life) restore(ctx context.Context) error {
	path, err := l.m.RestoreOrInitialize(ctx)
	if err != nil {
		return err
	}
	if path == "" {
		l.say("restored - 0 0")
	} else {
		l.say("restored %s %d %d", path, l.c.number(), l.c.digest())
	}
	return nil
}

func (l *life) end(ctx context.Context) error {
	l.waiting.Wait()
	if err := l.m.Close(ctx); err != nil {
		return err
	}
	l.say("closed")
	return l.failed
}

// step saves, and pins or unpins now and then.
func (l *life) step(ctx context.Context) error {
	if err := l.save(ctx); err != nil {
		return err
	}
	if l.one(12) {
		if err := l.pin(ctx); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.errs) > 0 {
		return l.errs[0]
	}
	return l.failed
}

func (l *life) save(ctx context.Context) error {
	l.serial++
	l.c.fill(l.serial)
	loss, keep, number := l.random.IntN(100), l.one(10), int64(-1)
	o := &checkpoint.SaveOptions{Metrics: map[string]float64{"loss": float64(loss)}}
	if keep {
		o.Tags = []string{keepTag}
	}
	if list := l.m.Checkpoints(); len(list) > 0 && l.one(5) {
		path := list[l.random.IntN(len(list))]
		if _, err := fmt.Sscanf(path, "ckpt-%d", &number); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		o.CheckpointNumber = &number
	}
	// What lies without index under a number that the state file has passed, and
	// is to be pinned, stays: it may have had one.
	pin := l.one(25) && number < 0 && l.m.LatestCheckpoint() != ""
	if pin {
		o.Pin = "drawn"
	}
	serial := l.serial
	l.say("save %d %d %d %t %t %d", serial, l.c.digest(), loss, keep, pin, number)
	s, err := l.m.Begin(ctx, o)
	if err != nil {
		return err
	}
	if l.waiting.Go(func() { l.wait(ctx, s, serial) }); l.m.Checkpoint().AsyncStats().Waiting == 0 && l.one(2) {
		l.waiting.Wait()
	}
	return nil
}

// wait tells of a save that is done.
func (l *life) wait(ctx context.Context, s *checkpoint.Saving, serial uint64) {
	if err := s.Wait(ctx); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.errs = append(l.errs, err)
		return
	}
	l.say("done %d %s", serial, s.Path())
}

// pin pins the latest, or takes a pin of this session away, when no save is
// under way: else nobody could tell what was pinned.
func (l *life) pin(ctx context.Context) error {
	l.waiting.Wait()
	if len(l.pinned) > 0 && l.one(2) {
		path := l.pinned[0]
		l.pinned = l.pinned[1:]
		l.say("unpin %s", path)
		err := l.m.Unpin(ctx, path)
		if errors.Is(err, fs.ErrNotExist) { // another was saved over it, which had no pin
			return nil
		}
		return err
	}
	path := l.m.LatestCheckpoint()
	if err := l.m.Pin(ctx, path, "drawn"); err != nil {
		return err
	}
	l.pinned = append(l.pinned, path)
	l.say("pinned %s", path)
	return nil
}
