package publish

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
)

// small is a lineage that takes small tensors for large.
func small() *Lineage {
	l := NewLineage(10)
	l.Tensor, l.File = 8, 8
	return l
}

func write(t *testing.T, dir storage.Dir, l *Lineage, path string, list ...format.Named) *Writing {
	t.Helper()
	w := writing(dir, sequence(list))
	w.Path, w.Lineage = path, l
	if err := w.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// read returns what a checkpoint holds: names, dtypes, shapes and bytes.
func read(t *testing.T, dir storage.Dir, path string) (all []string) {
	t.Helper()
	file := func(name string) (*bytes.Reader, int64, error) {
		text, err := storage.ReadFile(t.Context(), dir, name)
		return bytes.NewReader(text), int64(len(text)), err
	}
	index, size, err := file(tensorbundle.IndexName(path))
	if err != nil {
		t.Fatal(err)
	}
	r, err := tensorbundle.NewReader(index, size, func(shard, shards int) (io.ReaderAt, int64, error) {
		return file(tensorbundle.DataName(path, shard, shards))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range r.Names() {
		x, err := r.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, like(format.Named{Name: name, Tensor: x}))
	}
	return all
}

func like(n format.Named) string {
	return fmt.Sprintf("%s %v %v %x", n.Name, n.Tensor.DType(), n.Tensor.Shape(), n.Tensor.Bytes())
}

func named(t *testing.T, name string, d tensor.DType, shape tensor.Shape, from float32) format.Named {
	t.Helper()
	n, err := shape.NumElements()
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for i := range n {
		b = binary.NativeEndian.AppendUint32(b, math.Float32bits(from+float32(i)))
	}
	x, err := tensor.FromBytes(d, shape, b)
	if err != nil {
		t.Fatal(err)
	}
	return format.Named{Name: name, Tensor: x}
}

// TestSameBytesOfAnotherKindAreWritten: the index tells dtype and shape.
func TestSameBytesOfAnotherKindAreWritten(t *testing.T) {
	dir, l := mem.Dir(), small()
	is := func(d tensor.DType, shape ...int64) format.Named { return named(t, "x", d, shape, 1) }
	for i, x := range []format.Named{is(tensor.Float32, 6), is(tensor.Float32, 2, 3), is(tensor.Int32, 2, 3), is(tensor.Int32, 2, 3)} {
		p := fmt.Sprint("m-", i)
		w := write(t, dir, l, p, x)
		if got, want := read(t, dir, p), []string{like(x)}; !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", p, got, want)
		}
		if linked := w.Linked > 0; linked != (i == 3) {
			t.Errorf("%s links %v, want what is the same", p, linked)
		}
	}
}

// TestRegionsAreLinkedEachByItself: of a partitioned variable one part may change.
func TestRegionsAreLinkedEachByItself(t *testing.T) {
	dir, l := mem.Dir(), small()
	part := func(at int64, from float32) format.Named {
		x := named(t, "v", tensor.Float32, tensor.Shape{4}, from)
		x.Slice, x.Full = &tensor.Slice{Start: []int64{at}, Length: []int64{4}}, tensor.Shape{12}
		return x
	}
	for i, from := range [][3]float32{{1, 2, 3}, {1, 2, 30}, {1, 20, 30}, {1, 20, 30}, {20, 1, 30}} {
		p := fmt.Sprint("m-", i)
		w := write(t, dir, l, p, part(0, from[0]), part(4, from[1]), part(8, from[2]))
		var want []byte
		for _, f := range from {
			want = append(want, named(t, "v", tensor.Float32, tensor.Shape{4}, f).Tensor.Bytes()...)
		}
		whole, err := tensor.FromBytes(tensor.Float32, tensor.Shape{12}, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, dir, p), like(format.Named{Name: "v", Tensor: whole}); len(got) != 1 || got[0] != want {
			t.Errorf("%s holds %q, want %q", p, got, want)
		}
		if (w.Linked > 0) != (i > 0) {
			t.Errorf("%s links %d bytes", p, w.Linked)
		}
	}
}

// TestAPlanIsGivenUpOnce, however often that is asked for, and with it what it has
// counted and linked.
func TestAPlanIsGivenUpOnce(t *testing.T) {
	dir, l := mem.Dir(), small()
	x := named(t, "x", tensor.Float32, tensor.Shape{6}, 1)
	write(t, dir, l, "m-0", x)
	for range 3 {
		w := writing(dir, sequence([]format.Named{x}))
		w.Path, w.Lineage = "m-1", l
		if err := w.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := l.last.files[0].uses.Load(); n != 2 || w.Linked == 0 {
			t.Errorf("with a plan %d checkpoints use the file, %d bytes are linked", n, w.Linked)
		}
		w.Forget()
		w.Forget()
		if n := l.last.files[0].uses.Load(); n != 1 {
			t.Errorf("without it %d do, want 1", n)
		}
	}
	if got := names(t, dir); len(got) != 3 {
		t.Errorf("there are %q, want the files of m-0", got)
	}
}

// TestASaveOfNothingNew has no file of its own but index and receipt.
func TestASaveOfNothingNew(t *testing.T) {
	dir, l := mem.Dir(), small()
	x := named(t, "x", tensor.Float32, tensor.Shape{6}, 1)
	for i := range 3 {
		p := fmt.Sprint("m-", i)
		write(t, dir, l, p, x)
		if got := read(t, dir, p); !slices.Equal(got, []string{like(x)}) {
			t.Errorf("%s holds %q", p, got)
		}
	}
}
