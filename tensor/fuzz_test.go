package tensor

import "testing"

// FuzzElements: of any bytes that make a tensor every element has a text, and
// converts or says that it does not.
func FuzzElements(f *testing.F) {
	f.Add(int32(Float32), int64(2), []byte{0, 0, 128, 63, 0, 0, 192, 127}, int32(Float64))
	f.Add(int32(Int4), int64(3), []byte{0xf1, 0x07, 0x80}, int32(Int64))
	f.Add(int32(Complex64), int64(1), []byte{0, 0, 128, 127, 1, 0, 128, 255}, int32(Complex128))
	f.Add(int32(Bool), int64(2), []byte{1, 7}, int32(Uint8))
	f.Add(int32(BFloat16), int64(-1), []byte{1, 7}, int32(Float16))
	f.Fuzz(func(t *testing.T, dtype int32, n int64, data []byte, to int32) {
		x, err := FromBytes(DType(dtype), Shape{n}, data)
		if err != nil {
			return
		}
		for i := range x.NumElements() {
			if x.Format(i) == "" {
				t.Errorf("element %d of %v has no text", i, x.DType())
			}
		}
		if y, err := Convert(x, DType(to)); err == nil && (y.DType() != DType(to) || y.NumElements() != x.NumElements()) {
			t.Errorf("Convert(%v to %v) = %v of %d", x.DType(), DType(to), y.DType(), y.NumElements())
		}
	})
}
