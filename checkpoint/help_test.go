package checkpoint

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// clock is an injected clock that stands still unless told otherwise.
type clock struct {
	mu sync.Mutex // asynchronous saves ask it too
	t  time.Time
}

func at(seconds float64) *clock {
	c := new(clock)
	c.set(seconds)
	return c
}

func (c *clock) now() time.Time  { return c.add(0) }
func (c *clock) tick() time.Time { return c.add(time.Second) }

func (c *clock) set(seconds float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = time.Unix(0, int64(seconds*1e9)).UTC()
}

func (c *clock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return c.t
}

func number64(n int64) *int64          { return &n }
func background() context.Context      { return context.Background() }
func variable(v ...float32) *variableF { return trackable.NewVariable("v", []int64{int64(len(v))}, v) }

type variableF = trackable.Variable[float32]

// one returns a Checkpoint of one variable.
func one(v float32) (*Checkpoint, *variableF) {
	x := variable(v)
	return New(nil, Objects{"v": x}, nil), x
}

func newManager(t *testing.T, c *Checkpoint, dir storage.Dir, o *ManagerOptions) *Manager {
	t.Helper()
	m, err := NewManager(background(), c, dir, o)
	if err != nil {
		t.Fatalf("NewManager: %v", err)
	}
	t.Cleanup(func() {
		if err := m.Close(background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

func mustSave(t *testing.T, m *Manager, o *SaveOptions) string {
	t.Helper()
	path, err := m.Save(background(), o)
	if err != nil {
		t.Fatalf("Save: %v", err)
	}
	return path
}

// listing returns the names of all files of dir.
func listing(t *testing.T, dir storage.Dir) []string {
	t.Helper()
	var names []string
	for info, err := range dir.List(background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

// onDisk returns the paths of the checkpoints that have an index.
func onDisk(t *testing.T, dir storage.Dir) []string {
	t.Helper()
	var paths []string
	for _, name := range listing(t, dir) {
		if p, ok := strings.CutSuffix(name, ".index"); ok {
			paths = append(paths, p)
		}
	}
	shelf.SortByAge(paths, nil)
	return paths
}

func wantPaths(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func readFile(t *testing.T, dir storage.Dir, name string) string {
	t.Helper()
	data, err := storage.ReadFile(background(), dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeFile(t *testing.T, dir storage.Dir, name, data string) {
	t.Helper()
	if err := storage.WriteFile(background(), dir, name, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir storage.Dir, name string) {
	t.Helper()
	if err := dir.Remove(background(), name); err != nil {
		t.Fatal(err)
	}
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

func readState(t *testing.T, dir storage.Dir) State {
	t.Helper()
	s, err := ReadState(background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var removeAll = retention.PolicyFunc(func(list []retention.Checkpoint) []retention.Verdict {
	return make([]retention.Verdict, len(list))
})
