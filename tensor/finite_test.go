package tensor_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
)

func TestNonFiniteElementsAreFound(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(-1)
	f32 := func(v ...float64) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		}
		return b
	}
	f64 := func(v ...float64) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		return b
	}
	for _, c := range []struct {
		d    tensor.DType
		data []byte
		want tensor.NonFinite
	}{
		{tensor.Float32, nil, tensor.NonFinite{}},
		{tensor.Float32, f32(0, -1, math.MaxFloat32, math.SmallestNonzeroFloat32), tensor.NonFinite{}},
		{tensor.Float32, f32(1, inf, nan, nan), tensor.NonFinite{NaN: 2, Inf: 1, First: 1}},
		{tensor.Float64, f64(1, 2, nan, -inf), tensor.NonFinite{NaN: 1, Inf: 1, First: 2}},
		{tensor.Complex64, f32(1, 2, inf, nan, 0, inf), tensor.NonFinite{NaN: 1, Inf: 1, First: 1}},
		{tensor.Complex128, f64(nan, 2, 0, 0), tensor.NonFinite{NaN: 1}},
		{tensor.Float16, []byte{0xff, 0x7b, 0x00, 0xfc, 0x01, 0x7c}, tensor.NonFinite{NaN: 1, Inf: 1, First: 1}},
		{tensor.BFloat16, []byte{0x7f, 0x7f, 0x80, 0x7f, 0x81, 0xff}, tensor.NonFinite{NaN: 1, Inf: 1, First: 1}},
		{tensor.Int32, []byte{0xff, 0xff, 0xff, 0xff}, tensor.NonFinite{}},
		{tensor.String, []byte("\xff\xff\xff\xff"), tensor.NonFinite{}},
	} {
		if got := tensor.FindNonFinite(c.d, c.data); got != c.want {
			t.Errorf("FindNonFinite(%v, % x) = %+v, want %+v", c.d, c.data, got, c.want)
		}
	}
}

// TestNonFiniteIsWhatFormatSays compares every value of the small floats.
func TestNonFiniteIsWhatFormatSays(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float16, tensor.BFloat16, tensor.Float8E5M2, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ,
		tensor.Float8E4M3B11FNUZ, tensor.Float8E5M2FNUZ, tensor.Float4E2M1FN} {
		for bits := range 1 << (8 * d.Size()) {
			data := []byte{byte(bits), byte(bits >> 8)}[:d.Size()]
			x, err := tensor.FromBytes(d, nil, data)
			if err != nil {
				t.Fatal(err)
			}
			want := tensor.NonFinite{}
			switch x.Format(0) {
			case "nan", "NaN":
				want.NaN = 1
			case "inf", "-inf", "+Inf", "-Inf", "Inf":
				want.Inf = 1
			}
			if got := tensor.FindNonFinite(d, data); got != want {
				t.Errorf("FindNonFinite(%v, % x) = %+v, and its text is %s", d, data, got, x.Format(0))
			}
		}
	}
}
