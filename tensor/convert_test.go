package tensor

import (
	"math"
	"strings"
	"testing"
)

func mustNew[E Element](t *testing.T, elems ...E) Tensor {
	t.Helper()
	x, err := New(Shape{int64(len(elems))}, elems)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestConvertKeepsWhatBothTypesHave(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct{ from, want Tensor }{
		{mustNew(t, 1.5, -2, inf, 0), mustNew[float32](t, 1.5, -2, float32(inf), 0)},
		{mustNew[int8](t, -128, 127), mustNew[int64](t, -128, 127)},
		{mustNew[int64](t, -1, 200), mustNew[float64](t, -1, 200)},
		{mustNew(t, 3.0, math.Copysign(0, -1)), mustNew[uint16](t, 3, 0)},
		{mustNew[uint64](t, 1<<64-1), mustNew[uint64](t, 1<<64-1)},
		{mustNew[int64](t, math.MinInt64), mustNew[float64](t, -1<<63)},
		{mustNew(t, float64(-1<<63)), mustNew[int64](t, math.MinInt64)},
		{mustNew[int32](t, -1, 7, -8), mustNew[I4](t, 0x0f, 7, 8)},
		{mustNew[I4](t, 0x0f, 7, 8), mustNew[int32](t, -1, 7, -8)},
		{mustNew[U2](t, 3), mustNew[I4](t, 3)},
		{mustNew[float32](t, 2), mustNew[complex64](t, 2)},
		{mustNew[complex64](t, 1+2i), mustNew[complex128](t, 1+2i)},
		{mustNew[complex128](t, 4), mustNew[int8](t, 4)},
		// Floats round to the nearest, ties to even.
		{mustNew(t, 0.1, 1+1.0/256, 1+3.0/256), mustNew(t, ToBF16(0.1), ToBF16(1), ToBF16(1+1.0/64))},
		{mustNew[int64](t, 1<<53+1), mustNew[float64](t, 1<<53)},
		{mustNew[int64](t, 1<<24+1, -(1<<24 + 3)), mustNew[float32](t, 1<<24, -(1<<24 + 4))},
		{mustNew[float32](t, 465, -1e-9), mustNew[F8E5M2](t, 0x5f, 0x80)},
	} {
		got, err := Convert(c.from, c.want.DType())
		if err != nil || !got.Equal(c.want) {
			t.Errorf("Convert(%v %x, %v) = %x, %v, want %x", c.from.DType(), c.from.Bytes(), c.want.DType(), got.Bytes(), err, c.want.Bytes())
		}
	}
}

func TestConvertRefusesWhatWouldBeLost(t *testing.T) {
	text, err := FromStrings(Shape{1}, []string{"1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from Tensor
		to   DType
		want string
	}{
		{mustNew[int64](t, 1, 128), Int8, "element 1: 128 is out of range"},
		{mustNew[int8](t, -1), Uint64, "-1 is out of range"},
		{mustNew[int8](t, 8), Int4, "out of range"},
		{mustNew[int8](t, -9), Int4, "out of range"},
		{mustNew[uint64](t, 1<<63), Int64, "out of range"},
		{mustNew(t, 0x1p64), Uint64, "out of range"},
		{mustNew(t, 1.5), Int32, "1.5 is no integer"},
		{mustNew(t, math.NaN()), Int32, "nan is no integer"},
		{mustNew(t, math.Inf(-1)), Int32, "out of range"},
		{mustNew(t, 1e39), Float32, "out of range"},
		{mustNew[float32](t, 65520), Float16, "65520 is out of range"},
		{mustNew[float32](t, 3.4e38), BFloat16, "out of range"},
		{mustNew[float32](t, 465), Float8E4M3FN, "out of range"},
		{mustNew(t, math.NaN()), Float4E2M1FN, "nan is out of range"},
		{mustNew(t, math.Inf(1)), Float8E4M3FN, "inf is out of range"},
		{mustNew(t, 1e300), Float8E5M2, "out of range"},
		{mustNew(t, 1+1i), Float64, "imaginary"},
		{mustNew(t, true), Int8, "bool cannot be converted to int8"},
		{text, Float32, "string cannot be converted"},
		{mustNew[int8](t, 1), QInt8, "int8 cannot be converted to qint8"},
	} {
		if got, err := Convert(c.from, c.to); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Convert(%v, %v) = %x, %v, want %q", c.from.DType(), c.to, got.Bytes(), err, c.want)
		}
	}
}

func TestConvertToTheSameTypeIsTheSameTensor(t *testing.T) {
	text, err := FromStrings(nil, []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Convert(text, String); err != nil || !got.Equal(text) {
		t.Errorf("Convert(string, string) = %v, %v", got, err)
	}
}

func TestEveryPatternOfASmallFloatComesBack(t *testing.T) {
	for d, m := range minifloats {
		for bits := range uint32(1) << (1 + m.exp + m.man) {
			f := float64(m.float32(bits))
			got, ok := m.bits(f)
			if f != f {
				if back := m.float32(got); !ok || back == back {
					t.Errorf("%v: a NaN (%x) became %x, %v", d, bits, got, ok)
				}
				continue
			}
			if got != bits || !ok {
				t.Errorf("%v: bits(%g) = %x, %v, want %x", d, f, got, ok, bits)
			}
		}
	}
}
