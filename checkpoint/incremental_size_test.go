package checkpoint

import (
	"os"
	"strconv"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

// fineTuning is a model whose base of so many bytes stays while its head changes.
func fineTuning(base, head int) (c *Checkpoint, train func(float32)) {
	objects, small := Objects{}, trackable.NewVariable("head", []int64{int64(head / 4)}, make([]float32, head/4))
	objects["head"] = small
	for i := range 8 {
		v := trackable.NewVariable("base", []int64{int64(base / 32)}, make([]float32, base/32))
		for j := range v.Value {
			v.Value[j] = float32(i) + float32(j%8191)
		}
		objects["base"+strconv.Itoa(i)] = v
	}
	return New(nil, objects, &Options{Incremental: &Incremental{}}), func(x float32) {
		for i := range small.Value {
			small.Value[i] = x + float32(i%127)
		}
	}
}

// tenSaves returns what ten saves write, the first apart, and what they take on
// the disk, where a file that has several names is there once.
func tenSaves(t testing.TB, dir storage.Dir, base, head int) (first, later, disk int64) {
	t.Helper()
	c, train := fineTuning(base, head)
	m, err := NewManager(background(), c, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		train(float32(i))
		if _, err := m.Save(background(), nil); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = m.Stats().Bytes
		}
	}
	later = m.Stats().Bytes - first
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	seen := make(map[storage.FileID]bool)
	for info, err := range dir.List(background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if none := (storage.FileID{}); info.ID == none || !seen[info.ID] {
			disk += info.Size
		}
		seen[info.ID] = true
	}
	return first, later, disk
}

// TestTenSavesOfAFrozenBase is BenchmarkIncrementalSave at a sixteenth: 1 GiB and
// 10 MiB take less than 1.2 GiB, and less than 110 MiB are written after the first.
func TestTenSavesOfAFrozenBase(t *testing.T) {
	dir := local.Dir(t.TempDir())
	first, later, disk := tenSaves(t, dir, 1<<30/16, 10<<20/16)
	if limit := int64(110 << 20 / 16); later >= limit {
		t.Errorf("%d bytes are written after the first save, of %d, want less than %d", later, first, limit)
	}
	if limit := int64(12 << 30 / 10 / 16); hasIDs(t, dir) && disk >= limit {
		t.Errorf("ten checkpoints take %d bytes, want less than %d", disk, limit)
	}
}

// BenchmarkIncrementalSave makes ten saves of a model with a base of 1 GiB, or
// CKPT_BENCH_MIB, that stays, and a head of 10 MiB that is trained.
func BenchmarkIncrementalSave(b *testing.B) {
	base := 1 << 30
	if text := os.Getenv("CKPT_BENCH_MIB"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		base = n << 20
	}
	for b.Loop() {
		first, later, disk := tenSaves(b, local.Dir(b.TempDir()), base, 10<<20)
		b.ReportMetric(float64(first)/(1<<20), "MiB-first")
		b.ReportMetric(float64(later)/(1<<20), "MiB-later")
		b.ReportMetric(float64(disk)/(1<<20), "MiB-on-disk")
	}
}
