package checkpoint_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

// BenchmarkAsyncSave tells how long the call takes, in copies of all values to
// memory that is there, and what processor time the writing takes after it. The
// first save, which makes the memory of the copies, does not count.
func BenchmarkAsyncSave(b *testing.B) {
	size := benchBytes(b)
	for _, each := range []int{5 << 20, 50 << 10, size} {
		b.Run(fmt.Sprintf("%dKiB", each>>10), func(b *testing.B) { benchmarkAsync(b, size, each) })
	}
}

func benchmarkAsync(b *testing.B, size, each int) {
	objects, ctx := benchModel(size, each), b.Context()
	c := checkpoint.New(nil, objects, &checkpoint.Options{Async: &checkpoint.Async{}})
	dir, to := local.Dir(b.TempDir()), benchModel(size, each)
	save := func() (stall time.Duration) {
		begin := time.Now()
		if err := c.Write(ctx, dir, "all"); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
	finish := func() {
		if err := c.Sync(ctx); err != nil {
			b.Fatal(err)
		}
	}
	copyAll := func() (took time.Duration) {
		begin := time.Now()
		for name, o := range objects {
			copy(to[name].(*trackable.Variable[float32]).Value, o.(*trackable.Variable[float32]).Value)
		}
		return time.Since(begin)
	}
	save()
	finish()
	copyAll()
	var stall, copies, behind time.Duration
	for b.Loop() {
		copies += copyAll()
		stall += save()
		before := processorTime(b)
		finish()
		behind += processorTime(b) - before
	}
	b.ReportMetric(stall.Seconds()/float64(b.N), "stall-s/op")
	b.ReportMetric(stall.Seconds()/copies.Seconds(), "stall-copies")
	b.ReportMetric(behind.Seconds()/float64(b.N), "behind-cpu-s/op")
}
