package checkpoint

import (
	"fmt"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// BenchmarkSaveNumber10 and BenchmarkSaveNumber10000 are to cost the same: what
// a save costs does not grow with those that were before. With all kept, the
// state file names each of them, as TensorFlow's does, and is written anew by
// every save: that alone grows.
func BenchmarkSaveNumber10(b *testing.B)              { benchmarkSaves(b, mem.Dir(), 10, 5) }
func BenchmarkSaveNumber10000(b *testing.B)           { benchmarkSaves(b, mem.Dir(), 10_000, 5) }
func BenchmarkSaveNumber2100Keeping2000(b *testing.B) { benchmarkSaves(b, mem.Dir(), 2100, 2000) }
func BenchmarkSaveNumber10KeepingAll(b *testing.B)    { benchmarkSaves(b, mem.Dir(), 10, 0) }
func BenchmarkSaveNumber1000KeepingAll(b *testing.B)  { benchmarkSaves(b, mem.Dir(), 1000, 0) }

// BenchmarkSmallSave is of the disk: it waits for flushes and for nothing else.
func BenchmarkSmallSave(b *testing.B)         { benchmarkSaves(b, local.Dir(b.TempDir()), 0, 0) }
func BenchmarkSmallSaveKeeping5(b *testing.B) { benchmarkSaves(b, local.Dir(b.TempDir()), 5, 5) }

// benchmarkSaves measures saves after the first n.
func benchmarkSaves(b *testing.B, dir storage.Dir, n, keep int) {
	c, _ := one(1)
	m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: keep})
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		if _, err := m.Save(background(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Save(background(), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	if err := m.Close(background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkSaveOf20000Tensors tells by its allocations what a save needs to know
// of each.
func BenchmarkSaveOf20000Tensors(b *testing.B) {
	objects := make(Objects)
	for i := range 20_000 {
		objects[fmt.Sprintf("layer_%05d", i)] = variable(float32(i))
	}
	c, dir := New(nil, objects, nil), local.Dir(b.TempDir())
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Write(background(), dir, "all"); err != nil {
			b.Fatal(err)
		}
	}
}
