package tensor

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// edges are the patterns of n bits around which rounding and overflow happen.
func edges(bits uint, r *rand.Rand) []byte {
	var all []byte
	size := int(bits / 8)
	add := func(n uint64) { all = append(all, binary.LittleEndian.AppendUint64(nil, n)[:size]...) }
	for shift := range bits {
		for _, near := range []uint64{1 << shift, 1<<shift - 1, 1<<shift + 1, ^uint64(0) << shift} {
			add(near)
		}
	}
	for range 1 << 17 {
		add(r.Uint64())
	}
	for _, f := range []float64{65504, 65519.99, 65520, 3.3895e38, math.MaxFloat32, 1e39, math.Inf(-1), math.NaN(), 0x1p-24, 0x1p-25} {
		if bits == 64 {
			add(math.Float64bits(f))
		} else {
			add(uint64(math.Float32bits(float32(f))))
		}
	}
	return all
}

// alike compares numbers by their patterns, but one NaN is as good as another.
func alike(d DType, a, b []byte) bool {
	return string(a) == string(b) || math.IsNaN(decode(d, a).re) && math.IsNaN(decode(d, b).re)
}

func TestTheShortWaysGiveWhatTheLongOneGives(t *testing.T) {
	for _, c := range []struct{ from, to DType }{
		{Float32, BFloat16}, {Float32, Float16}, {Float32, Float64}, {Float64, Float32}, {BFloat16, Float32}, // each has a short way
		{Float16, Float32}, {Float8E4M3FN, Float32}, {Int16, Int8}, {Int8, Float16}, {BFloat16, Int32}, // few values
	} {
		in, out := c.from.Size(), c.to.Size()
		src := edges(uint(8*in), rand.New(rand.NewPCG(1, 2)))
		n := len(src) / in
		convert := converter(c.from, c.to, int64(n))
		for i := range n {
			elem, got, want := src[i*in:(i+1)*in], make([]byte, out), make([]byte, out)
			failed, err := encode(c.to, want, decode(c.from, elem)), convert(got, elem)
			if failed != err || err == nil && !alike(c.to, got, want) {
				t.Fatalf("%v to %v: %x became %x, %v, want %x, %v", c.from, c.to, elem, got, err, want, failed)
			}
		}
	}
}

func BenchmarkConvert(b *testing.B) {
	const n = 1 << 20
	for _, c := range []struct{ from, to DType }{{Float32, BFloat16}, {BFloat16, Float32}, {Float32, Float16}, {Float64, Float32}, {Int32, Int64}} {
		b.Run(c.from.String()+" to "+c.to.String(), func(b *testing.B) {
			t, err := FromBytes(c.from, Shape{n}, make([]byte, n*c.from.Size()))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(t.NumBytes())
			for b.Loop() {
				if _, err := Convert(t, c.to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
