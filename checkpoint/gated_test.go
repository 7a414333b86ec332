package checkpoint

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// gated is a Dir in which every save stops before its data file until it is
// let through, or told to fail.
type gated struct {
	storage.Dir
	entered chan string // names of the data files, as saves stop at them
	pass    chan error

	mu          sync.Mutex
	inside, top int // saves that are being written

	locked atomic.Int64 // how often, now
}

func newGated() *gated {
	return &gated{Dir: mem.Dir(), entered: make(chan string, 100), pass: make(chan error, 100)}
}

func (g *gated) Create(ctx context.Context, name string) (storage.Pending, error) {
	if !strings.Contains(name, ".data-") {
		return g.Dir.Create(ctx, name)
	}
	g.count(1)
	defer g.count(-1)
	g.entered <- name[:strings.Index(name, ".data-")]
	if err := <-g.pass; err != nil {
		return nil, err
	}
	return g.Dir.Create(ctx, name)
}

func (g *gated) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside += n
	g.top = max(g.top, g.inside)
}

// let lets n saves through, now or when they come.
func (g *gated) let(n int) {
	for range n {
		g.pass <- nil
	}
}

func (g *gated) Lock(ctx context.Context, name string) (storage.Held, error) {
	held, err := storage.Lock(ctx, g.Dir, name)
	if err != nil || name != filename.State {
		return held, err
	}
	g.locked.Add(1)
	return &counted{Held: held, n: &g.locked}, nil
}

// counted is a lock that says when it is given up.
type counted struct {
	storage.Held
	once sync.Once
	n    *atomic.Int64
}

func (c *counted) Unlock() error {
	c.once.Do(func() { c.n.Add(-1) })
	return c.Held.Unlock()
}

func (g *gated) Link(ctx context.Context, oldname, newname string) error {
	return storage.Link(ctx, g.Dir, oldname, newname)
}

// mustSync waits for all saves.
func mustSync(t *testing.T, s interface{ Sync(context.Context) error }) {
	t.Helper()
	if err := s.Sync(background()); err != nil {
		t.Errorf("Sync: %v", err)
	}
}

func mustBegin(t *testing.T, m *Manager, o *SaveOptions) *Saving {
	t.Helper()
	s, err := m.Begin(background(), o)
	if err != nil || s == nil {
		t.Fatalf("Begin = %v, %v, want a handle", s, err)
	}
	return s
}

// wantDone checks whether a save is done, in a synctest bubble at rest.
func wantDone(t *testing.T, s *Saving, want bool) {
	t.Helper()
	select {
	case <-s.Done():
		if !want {
			t.Errorf("%s is done, want it to be under way", s.Path())
		}
	default:
		if want {
			t.Errorf("%s is under way, want it done", s.Path())
		}
	}
}
