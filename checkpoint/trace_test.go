package checkpoint

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// tracer keeps what is done to a directory.
type tracer struct {
	mu    sync.Mutex
	lines []string
}

func (t *tracer) tell(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line)
}

// take returns the lines since the last take, under a heading.
func (t *tracer) take(heading string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := "# " + heading + "\n" + strings.Join(t.lines, "\n") + "\n\n"
	t.lines = nil
	return text
}

// TestOrderOfASave is the contract of the package comment as a trace.
func TestOrderOfASave(t *testing.T) {
	var tr tracer
	dir, now := storage.WithTrace(mem.Dir(), tr.tell), at(1000)
	c, _ := one(1)
	o := &ManagerOptions{MaxToKeep: 1, Now: now.tick}
	m := newManager(t, c, dir, o)
	text := tr.take("a manager is opened")
	mustSave(t, m, nil)
	text += tr.take("the first save")
	mustSave(t, m, nil)
	text += tr.take("a save with a sweep")
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(2)})
	text += tr.take("the number is used again")
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	text += tr.take("the manager is closed")
	m = newManager(t, c, dir, o)
	if _, err := m.RestoreOrInitialize(background()); err != nil {
		t.Fatal(err)
	}
	text += tr.take("another manager restores")
	if _, err := c.Save(background(), dir, "plain"); err != nil {
		t.Fatal(err)
	}
	text += tr.take("a plain save")
	golden.Equal(t, "save_order.txt", []byte(text))
}

func TestOrderOfAPreservingSweep(t *testing.T) {
	var tr tracer
	dir, now := storage.WithTrace(mem.Dir(), tr.tell), at(1000)
	c, _ := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 1, KeepCheckpointEvery: time.Second, Now: now.tick})
	mustSave(t, m, nil)
	tr.take("")
	mustSave(t, m, nil)
	golden.Equal(t, "preserve_order.txt", []byte(tr.take("the old checkpoint is preserved")))
}

// TestSavesOnADisk runs the same on the disk, where batches, links and locks
// are real.
func TestSavesOnADisk(t *testing.T) {
	dir, now := local.Dir(t.TempDir()+"/made/by/the first save"), at(1000)
	c, v := one(1)
	m := newManager(t, c, dir, &ManagerOptions{MaxToKeep: 2, Now: now.tick})
	for i := range 4 {
		v.Value[0] = float32(i)
		mustSave(t, m, nil)
	}
	v.Value[0] = 9
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(4)})
	wantPaths(t, "Checkpoints()", m.Checkpoints(), "ckpt-3", "ckpt-4")
	v.Value[0] = -1
	if got, err := m.RestoreOrInitialize(background()); got != "ckpt-4" || err != nil {
		t.Fatalf("RestoreOrInitialize() = %q, %v, want ckpt-4", got, err)
	}
	if v.Value[0] != 9 {
		t.Errorf("restored %v, want 9", v.Value[0])
	}
	wantPaths(t, "files", listing(t, dir), "checkpoint",
		"ckpt-3.data-00000-of-00001", "ckpt-3.index", "ckpt-3.receipt.json",
		"ckpt-4.data-00000-of-00001", "ckpt-4.index", "ckpt-4.receipt.json")
}
