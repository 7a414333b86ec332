package tensor

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"unsafe"
)

// Element is a Go type that a tensor's elements can be seen as. Types that Go
// does not have are named here: F16, BF16, F8E4M3FN, I4 and so on.
type Element interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		~float32 | ~float64 | ~complex64 | ~complex128 | ~bool
}

// The quantized integers of TensorFlow, as elements.
type (
	QI8  int8
	QU8  uint8
	QI16 int16
	QU16 uint16
	QI32 int32
)

// named gives the DType of the element types that only this package names.
var named = map[reflect.Type]DType{
	reflect.TypeFor[F16]():           Float16,
	reflect.TypeFor[BF16]():          BFloat16,
	reflect.TypeFor[F8E5M2]():        Float8E5M2,
	reflect.TypeFor[F8E4M3FN]():      Float8E4M3FN,
	reflect.TypeFor[F8E4M3FNUZ]():    Float8E4M3FNUZ,
	reflect.TypeFor[F8E4M3B11FNUZ](): Float8E4M3B11FNUZ,
	reflect.TypeFor[F8E5M2FNUZ]():    Float8E5M2FNUZ,
	reflect.TypeFor[F4E2M1FN]():      Float4E2M1FN,
	reflect.TypeFor[I4]():            Int4,
	reflect.TypeFor[U4]():            Uint4,
	reflect.TypeFor[I2]():            Int2,
	reflect.TypeFor[U2]():            Uint2,
	reflect.TypeFor[QI8]():           QInt8,
	reflect.TypeFor[QU8]():           QUint8,
	reflect.TypeFor[QI16]():          QInt16,
	reflect.TypeFor[QU16]():          QUint16,
	reflect.TypeFor[QI32]():          QInt32,
}

// kinds gives the DType of Go's own kinds.
var kinds = map[reflect.Kind]DType{
	reflect.Int8: Int8, reflect.Int16: Int16, reflect.Int32: Int32, reflect.Int64: Int64,
	reflect.Uint8: Uint8, reflect.Uint16: Uint16, reflect.Uint32: Uint32, reflect.Uint64: Uint64,
	reflect.Float32: Float32, reflect.Float64: Float64,
	reflect.Complex64: Complex64, reflect.Complex128: Complex128, reflect.Bool: Bool,
}

// DTypeOf returns the DType of tensors with elements of type E. A named type
// that this package does not know counts as its kind: time.Duration is Int64.
func DTypeOf[E Element]() DType { return DTypeOfType(reflect.TypeFor[E]()) }

// DTypeOfType returns what DTypeOf does for a type met by reflection; Invalid
// if t is not an Element.
func DTypeOfType(t reflect.Type) DType {
	if d, ok := named[t]; ok {
		return d
	}
	return kinds[t.Kind()]
}

// littleEndian says whether memory here has the byte order of the files.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// bytesOf returns the elements' little-endian bytes, sharing memory where the
// machine's order allows.
func bytesOf[E Element](elems []E) []byte {
	if len(elems) == 0 {
		return nil
	}
	size := int(unsafe.Sizeof(elems[0]))
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(elems))), len(elems)*size)
	if littleEndian {
		return raw
	}
	swapped := make([]byte, len(raw))
	copy(swapped, raw)
	SwapBytes(DTypeOf[E](), swapped)
	return swapped
}

// elementsOf is the way back. It copies when the bytes are not aligned for E,
// are in the other order, or are not valid as E (a bool that is neither 0 nor 1).
func elementsOf[E Element](d DType, data []byte) []E {
	if len(data) == 0 {
		return []E{}
	}
	size := d.Size()
	p := unsafe.Pointer(unsafe.SliceData(data))
	if littleEndian && uintptr(p)%unsafe.Alignof(*new(E)) == 0 && (d != Bool || validBools(data)) {
		return unsafe.Slice((*E)(p), len(data)/size)
	}
	elems := make([]E, len(data)/size)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(elems))), len(data))
	copy(raw, data)
	if d == Bool {
		normalizeBools(raw)
	}
	if !littleEndian {
		SwapBytes(d, raw)
	}
	return elems
}

func validBools(data []byte) bool {
	for _, b := range data {
		if b > 1 {
			return false
		}
	}
	return true
}

func normalizeBools(data []byte) {
	for i, b := range data {
		if b > 1 {
			data[i] = 1
		}
	}
}

// SwapBytes reverses the byte order of each element of data in place; of a
// complex number, of each half.
func SwapBytes(d DType, data []byte) {
	width := d.Size()
	if d == Complex64 || d == Complex128 {
		width /= 2
	}
	for ; width > 1 && len(data) >= width; data = data[width:] {
		for i, j := 0, width-1; i < j; i, j = i+1, j-1 {
			data[i], data[j] = data[j], data[i]
		}
	}
}

func wrongElement(have DType, want reflect.Type) error {
	return fmt.Errorf("a tensor of %v: its elements are not of type %v", have, want)
}
