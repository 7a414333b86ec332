package checkpoint_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/internal/offheap"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// benchBytes is how large the model is: 256 MiB, or what CKPT_BENCH_MIB says.
func benchBytes(b *testing.B) int {
	mib := 256
	if s := os.Getenv("CKPT_BENCH_MIB"); s != "" {
		var err error
		if mib, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	return mib << 20
}

// benchModel returns objects of a layout, whose memory is there already.
func benchModel(size, each int) checkpoint.Objects {
	objects := checkpoint.Objects{}
	for i := range size / each {
		value := make([]float32, each/4)
		for j := range value {
			value[j] = float32(i ^ j)
		}
		objects[fmt.Sprintf("v%05d", i)] = trackable.NewVariable("", tensor.Shape{int64(len(value))}, value)
	}
	return objects
}

// evict takes a file out of the system's cache.
func evict(b *testing.B, path string) {
	f, err := os.Open(path)
	if err == nil {
		err = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// load has the system read a file into its cache.
func load(b *testing.B, path string) {
	f, err := os.Open(path)
	if err == nil {
		_, err = io.Copy(io.Discard, f)
	}
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRestore restores a model of 5 MiB tensors, of 50 KiB ones, and of one
// tensor, beside what bounds it: reading the file past the cache, and a copy with
// checksums by one thread.
func BenchmarkRestore(b *testing.B) {
	size := benchBytes(b)
	for _, layout := range []struct {
		name string
		each int
	}{{"5MiB", 5 << 20}, {"50KiB", 50 << 10}, {"one", size}} {
		b.Run(layout.name, func(b *testing.B) { benchRestore(b, benchModel(size, layout.each)) })
	}
}

func benchRestore(b *testing.B, objects checkpoint.Objects) {
	root := b.TempDir()
	dir := local.Dir(root)
	path, err := checkpoint.New(nil, objects, nil).Save(b.Context(), dir, "ckpt")
	if err != nil {
		b.Fatal(err)
	}
	file := root + "/" + path + ".data-00000-of-00001"
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	bench := func(name string, before func(*testing.B, string), do func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(info.Size())
			var took time.Duration
			for b.Loop() {
				b.StopTimer()
				before(b, file)
				began := processorTime(b)
				b.StartTimer()
				if err := do(); err != nil {
					b.Fatal(err)
				}
				took += processorTime(b) - began
			}
			b.ReportMetric(float64(took)/float64(b.N), "cpu-ns/op")
		})
	}
	restore := func(o *checkpoint.Options) func() error {
		return func() error {
			_, err := checkpoint.New(nil, objects, o).Restore(b.Context(), dir, path)
			return err
		}
	}
	raw := newRawRead(b, file)
	bench("cold/raw", evict, raw.read)
	bench("cold/inplace", evict, restore(&checkpoint.Options{InPlace: true}))
	bench("cold/staged", evict, restore(nil))
	bench("cold/twice", evict, restore(&checkpoint.Options{StageLimit: -1}))
	bench("warm/copy", load, copyAll(b, objects))
	bench("warm/inplace", load, restore(&checkpoint.Options{InPlace: true}))
	bench("warm/staged", load, restore(nil))
	bench("warm/twice", load, restore(&checkpoint.Options{StageLimit: -1}))
}

// processorTime is what the process has used, which on a busy machine says more
// than the clock.
func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawRead is what the disk and the memory can do.
type rawRead struct {
	f    *os.File
	size int64
	bufs [4][]byte
}

const rawStep = 4 << 20

func newRawRead(b *testing.B, path string) *rawRead {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		b.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	m, err := offheap.Alloc(len(rawRead{}.bufs) * rawStep)
	if err != nil {
		b.Fatal(err)
	}
	r := &rawRead{f: f, size: info.Size()}
	for i := range r.bufs {
		r.bufs[i] = m.Bytes[i*rawStep:][:rawStep]
	}
	b.Cleanup(func() {
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	})
	return r
}

// read reads the file once, four readings at a time.
func (r *rawRead) read() error {
	errs := make(chan error)
	for i, buf := range r.bufs {
		go func() {
			for off := int64(i) * rawStep; off < r.size; off += rawStep * int64(len(r.bufs)) {
				if n, err := r.f.ReadAt(buf, off); n == 0 {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var failed error
	for range r.bufs {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return failed
}

// copyAll copies as many bytes as the objects have to where they are, from memory
// that no cache of the processor holds, and takes their CRC.
func copyAll(b *testing.B, objects checkpoint.Objects) func() error {
	const size = 64 << 20
	m, err := offheap.Alloc(size)
	if err != nil {
		b.Fatal(err)
	}
	var all [][]byte
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		v := objects[name].(*trackable.Variable[float32])
		t, err := tensor.New(v.Shape, v.Value)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, t.Bytes())
	}
	return func() error {
		at, sum := 0, uint32(0)
		for _, dst := range all {
			for len(dst) > 0 {
				n := copy(dst[:min(len(dst), 64<<10)], m.Bytes[at:])
				sum = crc32c.Update(sum, dst[:n])
				at, dst = (at+n)%size, dst[n:]
			}
		}
		if sum == 1 {
			return os.ErrInvalid // the sum must be used
		}
		return nil
	}
}
