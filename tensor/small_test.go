package tensor

import (
	"math"
	"testing"
)

func TestHalfKeepsEveryNumber(t *testing.T) {
	for i := range 1 << 16 {
		x := F16(i)
		f := x.Float32()
		if got := ToF16(f); got != x && f == f {
			t.Fatalf("ToF16(%g) = %04x, want %04x", f, got, x)
		}
		b := BF16(i)
		if got := ToBF16(b.Float32()); got != b && b.Float32() == b.Float32() {
			t.Fatalf("ToBF16(%g) = %04x, want %04x", b.Float32(), got, b)
		}
	}
}

// between returns the float32 halfway between two, which they can hold.
func between(a, b float32) float32 { return a + (b-a)/2 }

func TestRoundingGoesToTheEvenNeighbour(t *testing.T) {
	for i := range 0x7bff {
		a, b := F16(i), F16(i+1)
		even := a
		if i%2 == 1 {
			even = b
		}
		mid := between(a.Float32(), b.Float32())
		if got := ToF16(mid); got != even {
			t.Fatalf("ToF16(%g) = %04x, want the even of %04x and %04x", mid, got, a, b)
		}
		if got := ToF16(math.Nextafter32(mid, 1e9)); got != b {
			t.Fatalf("ToF16(just above %g) = %04x, want %04x", mid, got, b)
		}
	}
	for i := range 0x7f7f {
		even := BF16(i + i%2)
		if got := ToBF16(between(BF16(i).Float32(), BF16(i+1).Float32())); got != even {
			t.Fatalf("ToBF16 between %04x and the next = %04x, want %04x", i, got, even)
		}
	}
}

func TestSmallFloatsAtTheirLimits(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		name      string
		got, want float32
	}{
		{"f16 largest", F16(0x7bff).Float32(), 65504},
		{"f16 infinity", F16(0xfc00).Float32(), -inf},
		{"f16 smallest", F16(1).Float32(), 1.0 / (1 << 24)},
		{"f16 of 65520", ToF16(65520).Float32(), inf},
		{"f16 of 65519", ToF16(65519).Float32(), 65504},
		{"f16 NaN", ToF16(nan).Float32(), nan},
		{"bf16 NaN", ToBF16(nan).Float32(), nan},
		{"bf16 of MaxFloat32", ToBF16(math.MaxFloat32).Float32(), inf},
		{"e5m2 largest", F8E5M2(0x7b).Float32(), 57344},
		{"e5m2 infinity", F8E5M2(0x7c).Float32(), inf},
		{"e5m2 NaN", F8E5M2(0x7d).Float32(), nan},
		{"e4m3fn largest", F8E4M3FN(0x7e).Float32(), 448},
		{"e4m3fn NaN", F8E4M3FN(0xff).Float32(), nan},
		{"e4m3fn smallest", F8E4M3FN(1).Float32(), 1.0 / 512},
		{"e4m3fnuz largest", F8E4M3FNUZ(0x7f).Float32(), 240},
		{"e4m3fnuz NaN", F8E4M3FNUZ(0x80).Float32(), nan},
		{"e4m3b11fnuz largest", F8E4M3B11FNUZ(0x7f).Float32(), 30},
		{"e5m2fnuz largest", F8E5M2FNUZ(0x7f).Float32(), 57344},
		{"e2m1fn largest", F4E2M1FN(7).Float32(), 6},
		{"e2m1fn smallest", F4E2M1FN(9).Float32(), -0.5},
		{"e5m2fnuz -1", F8E5M2FNUZ(0xc0).Float32(), -1},
	} {
		if c.got != c.want && (c.got == c.got || c.want == c.want) {
			t.Errorf("%s = %g, want %g", c.name, c.got, c.want)
		}
	}
	if got := F16(0x8000).Float32(); math.Float32bits(got) != 1<<31 {
		t.Errorf("f16 negative zero = %g", got)
	}
}

func TestSmallIntegersExtendTheirSign(t *testing.T) {
	if I4(0x0f).Int() != -1 || I4(8).Int() != -8 || I4(7).Int() != 7 {
		t.Error("I4.Int does not extend the sign")
	}
	if I2(3).Int() != -1 || I2(2).Int() != -2 || I2(1).Int() != 1 {
		t.Error("I2.Int does not extend the sign")
	}
}
