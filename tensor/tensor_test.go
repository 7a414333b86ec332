package tensor

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

func TestElementsComeBackWithoutACopy(t *testing.T) {
	in := []float32{1, 2, 3, 4, 5, 6}
	x, err := New(Shape{2, 3}, in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := Elements[float32](x)
	if err != nil {
		t.Fatal(err)
	}
	if littleEndian && unsafe.SliceData(out) != unsafe.SliceData(in) {
		t.Error("Elements copied aligned memory")
	}
	if !slices.Equal(out, in) {
		t.Errorf("Elements = %v, want %v", out, in)
	}
	in[0] = 7
	if y := x.Clone(); littleEndian && y.Format(0) != "7" {
		t.Errorf("a view's element 0 = %s after the memory changed, want 7", y.Format(0))
	}
}

func TestBytesAreLittleEndian(t *testing.T) {
	x, err := New(nil, []uint32{0x01020304})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := x.Bytes(), []byte{4, 3, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("Bytes = %v, want %v", got, want)
	}
}

func TestUnalignedBytesAreCopied(t *testing.T) {
	raw := make([]byte, 17)
	raw[1], raw[9] = 5, 6
	x, err := FromBytes(Int64, Shape{2}, raw[1:])
	if err != nil {
		t.Fatal(err)
	}
	got, err := Elements[int64](x)
	if err != nil || !slices.Equal(got, []int64{5, 6}) {
		t.Errorf("Elements = %v, %v, want [5 6]", got, err)
	}
}

func TestABoolIsOnlyEverZeroOrOne(t *testing.T) {
	x, err := FromBytes(Bool, Shape{3}, []byte{0, 1, 200})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Elements[bool](x)
	if err != nil || !slices.Equal(got, []bool{false, true, true}) {
		t.Errorf("Elements = %v, %v, want [false true true]", got, err)
	}
	if raw := *(*byte)(unsafe.Pointer(&got[2])); raw != 1 {
		t.Errorf("true is stored as %d, want 1", raw)
	}
}

func TestElementsOfAnotherTypeAreRefused(t *testing.T) {
	x, _ := New(nil, []BF16{1})
	if _, err := Elements[uint16](x); err == nil {
		t.Error("Elements[uint16] of a bfloat16 tensor succeeded")
	}
	if _, err := x.Strings(); err == nil {
		t.Error("Strings of a bfloat16 tensor succeeded")
	}
	if _, err := FromBytes(String, nil, []byte("x")); err == nil {
		t.Error("FromBytes of a string succeeded")
	}
}

func TestDTypeOf(t *testing.T) {
	for _, c := range []struct{ got, want DType }{
		{DTypeOf[float32](), Float32}, {DTypeOf[time.Duration](), Int64}, {DTypeOf[BF16](), BFloat16},
		{DTypeOf[F16](), Float16}, {DTypeOf[F8E4M3B11FNUZ](), Float8E4M3B11FNUZ}, {DTypeOf[bool](), Bool},
		{DTypeOf[I4](), Int4}, {DTypeOf[U2](), Uint2}, {DTypeOf[QU16](), QUint16}, {DTypeOf[complex64](), Complex64},
		{DTypeOfType(reflect.TypeFor[string]()), Invalid}, {DTypeOfType(reflect.TypeFor[int]()), Invalid},
	} {
		if c.got != c.want {
			t.Errorf("DTypeOf = %v, want %v", c.got, c.want)
		}
	}
}

func TestEveryNamedElementHasItsDTypesSize(t *testing.T) {
	for typ, d := range named {
		if int(typ.Size()) != d.Size() {
			t.Errorf("%v has %d bytes, %v has %d", typ, typ.Size(), d, d.Size())
		}
	}
}

func TestDTypeNamesParseBack(t *testing.T) {
	for d := Float32; d.known(); d++ {
		if got, err := ParseDType(d.String()); err != nil || got != d {
			t.Errorf("ParseDType(%q) = %v, %v, want %v", d.String(), got, err, d)
		}
	}
	for name, want := range map[string]DType{"DT_HALF": Float16, "float": Float32, "double": Float64, "DT_BFLOAT16": BFloat16} {
		if got, err := ParseDType(name); err != nil || got != want {
			t.Errorf("ParseDType(%q) = %v, %v, want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "invalid", "float33"} {
		if got, err := ParseDType(name); err == nil {
			t.Errorf("ParseDType(%q) = %v, want an error", name, got)
		}
	}
	if got := DType(101).String(); got != "dtype(101)" {
		t.Errorf("DType(101).String() = %q", got)
	}
	if DType(101).Valid() || Resource.Valid() || Invalid.Valid() || DType(-1).Valid() || !Uint2.Valid() {
		t.Error("Valid is wrong for a reference type, resource, invalid, -1 or uint2")
	}
}

func TestShapesThatCannotBe(t *testing.T) {
	for _, s := range []Shape{{-1}, {1 << 32, 1 << 32}, {math.MaxInt64, 2}, make(Shape, MaxRank+1)} {
		if n, err := s.NumElements(); err == nil {
			t.Errorf("NumElements(%.40v) = %d, want an error", s, n)
		}
	}
	if _, err := FromBytes(Complex128, Shape{1 << 60}, nil); err == nil {
		t.Error("a tensor of 2^64 bytes was made of none")
	}
	if n, err := (Shape{1 << 62, 0, 1 << 62}).NumElements(); n != 0 || err != nil {
		t.Errorf("NumElements = %d, %v, want 0", n, err)
	}
	if _, err := New(Shape{2, 2}, []int8{1, 2, 3}); err == nil {
		t.Error("3 elements made a [2,2] tensor")
	}
}

func TestShapeErrorsAreSentences(t *testing.T) {
	_, err := New(Shape{2, 2}, []int16{1})
	if want := "shape [2,2] of int16: has 4 elements, got 1"; err == nil || err.Error() != want {
		t.Errorf("New = %v, want %s", err, want)
	}
	_, err = FromBytes(Int16, Shape{2, 2}, []byte{1, 0})
	if want := "shape [2,2] of int16: takes 8 bytes, got 2"; err == nil || err.Error() != want {
		t.Errorf("FromBytes = %v, want %s", err, want)
	}
	_, err = FromStrings(Shape{2}, []string{"a"})
	if want := "shape [2] of string: has 2 elements, got 1"; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	buf := []byte{1, 2}
	x, _ := FromBytes(Uint8, Shape{2}, buf)
	y := x.Clone()
	buf[0] = 9
	if y.Equal(x) || y.Bytes()[0] != 1 {
		t.Errorf("clone = %v after the original changed", y.Bytes())
	}
	s, _ := FromStrings(nil, []string{"a"})
	if !s.Clone().Equal(s) {
		t.Error("the clone of a string tensor differs")
	}
}

func TestEqualComparesBits(t *testing.T) {
	nan, _ := New(nil, []float64{math.NaN()})
	zero, _ := New(nil, []float64{0})
	negative, _ := New(nil, []float64{math.Copysign(0, -1)})
	vector, _ := New(Shape{1}, []float64{0})
	if !nan.Equal(nan) || zero.Equal(negative) || zero.Equal(vector) {
		t.Error("Equal does not compare dtype, shape and bits")
	}
}

func TestFormat(t *testing.T) {
	i4, _ := FromBytes(Int4, Shape{2}, []byte{0x0f, 0x07})
	c64, _ := New(nil, []complex64{1.5 - 2i})
	inf, _ := New(Shape{3}, []float32{float32(math.Inf(1)), float32(math.NaN()), 0.1})
	str, _ := FromStrings(nil, []string{"a\x1b\xff"})
	half, _ := New(nil, []F16{ToF16(65504)})
	for _, c := range []struct {
		x    Tensor
		i    int64
		want string
	}{
		{i4, 0, "-1"}, {i4, 1, "7"}, {c64, 0, "(1.5-2i)"}, {inf, 0, "inf"}, {inf, 1, "nan"}, {inf, 2, "0.1"},
		{str, 0, `"a\x1b\xff"`}, {half, 0, "65504"},
	} {
		if got := c.x.Format(c.i); got != c.want {
			t.Errorf("Format(%d) of %v = %s, want %s", c.i, c.x.DType(), got, c.want)
		}
	}
}

func TestEveryStorableTypeFormats(t *testing.T) {
	for d := Float32; d.known(); d++ {
		if d.Size() == 0 {
			continue
		}
		x, err := FromBytes(d, nil, make([]byte, d.Size()))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Trim(x.Format(0), "()i"); got != "0" && got != "false" && got != "0+0" {
			t.Errorf("zero of %v formats as %q", d, x.Format(0))
		}
	}
}

func TestSwapBytesTwiceIsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom([]DType{Uint8, Int16, Float32, Complex64, Float64, Complex128}).Draw(t, "dtype")
		in := rapid.SliceOfN(rapid.Byte(), 2*d.Size(), 2*d.Size()).Draw(t, "data")
		out := slices.Clone(in)
		SwapBytes(d, out)
		if d == Complex64 && (out[0] != in[3] || out[4] != in[7]) {
			t.Fatalf("SwapBytes(%v) crossed the halves of a complex number", d)
		}
		SwapBytes(d, out)
		if !slices.Equal(in, out) {
			t.Fatalf("SwapBytes(%v) twice = %v, want %v", d, out, in)
		}
	})
}
