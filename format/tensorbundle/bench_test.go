package tensorbundle_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/tensor"
)

// staging is what a file's Pending does with bytes: it copies them into a
// buffer that is used again.
type staging []byte

func (s staging) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		rest = rest[copy(s, rest):]
	}
	return len(p), nil
}

func BenchmarkWriter(b *testing.B) {
	x, err := tensor.FromBytes(tensor.Uint8, tensor.Shape{256 << 20}, bytes.Repeat([]byte{1, 2, 3, 4}, 64<<20))
	if err != nil {
		b.Fatal(err)
	}
	buf := make(staging, 4<<20)
	b.SetBytes(256 << 20)
	for b.Loop() {
		if err := tensorbundle.NewWriter(buf, 0).Add(format.Named{Name: "x", Tensor: x}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadInto(b *testing.B) {
	x, err := tensor.FromBytes(tensor.Uint8, tensor.Shape{256 << 20}, make([]byte, 256<<20))
	if err != nil {
		b.Fatal(err)
	}
	r := write(b, []format.Named{{Name: "x", Tensor: x}}).mustOpen(b)
	dst := make([]byte, 256<<20)
	b.SetBytes(256 << 20)
	for b.Loop() {
		if err := r.ReadInto("x", dst); err != nil {
			b.Fatal(err)
		}
	}
}

// manyTensors is an index of 100,000 names.
func manyTensors(b *testing.B) []tensorbundle.Shard {
	b.Helper()
	w := tensorbundle.NewWriter(io.Discard, 0)
	x := f32(b, tensor.Shape{2, 2}, 1, 2, 3, 4)
	for i := range 100_000 {
		name := fmt.Sprintf("model/layer_%d/dense/kernel_%d/.ATTRIBUTES/VARIABLE_VALUE", i%100, i)
		if err := w.Add(format.Named{Name: name, Tensor: x}); err != nil {
			b.Fatal(err)
		}
	}
	return []tensorbundle.Shard{w.Shard()}
}

func BenchmarkWriteIndexOf100000(b *testing.B) {
	shards := manyTensors(b)
	for b.Loop() {
		if err := tensorbundle.WriteIndex(io.Discard, shards); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenAndList100000(b *testing.B) {
	var index bytes.Buffer
	if err := tensorbundle.WriteIndex(&index, manyTensors(b)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := bundle{index: index.Bytes()}.mustOpen(b)
		if n := len(r.Names()); n != 100_000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkSmallTensors(b *testing.B) {
	x := f32(b, tensor.Shape{2, 2}, 1, 2, 3, 4)
	w := tensorbundle.NewWriter(io.Discard, 0)
	i := 0
	for b.Loop() {
		i++
		if err := w.Add(format.Named{Name: fmt.Sprint(i), Tensor: x}); err != nil {
			b.Fatal(err)
		}
	}
}
