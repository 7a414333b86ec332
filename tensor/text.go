package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// Format returns element i, counted row-major, as text: "1.5", "true",
// "(1+2i)", or for String and Variant a quoted Go string. i must be in range.
func (t Tensor) Format(i int64) string {
	if t.dtype.Size() == 0 {
		return strconv.Quote(t.elems[i])
	}
	size := int64(t.dtype.Size())
	return formatElement(t.dtype, t.data[i*size:(i+1)*size])
}

func formatElement(d DType, b []byte) string {
	switch d {
	case Float64:
		return formatFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
	case Complex64, Complex128:
		return formatComplex(d, b)
	case Bool:
		return strconv.FormatBool(b[0] != 0)
	}
	if f, ok := smallFloat(d, b); ok {
		return formatFloat(float64(f), 32)
	}
	return formatInt(d, b)
}

// formatFloat prints what parses back to the same number of that many bits.
func formatFloat(f float64, bits int) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f != f:
		return "nan"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

func formatComplex(d DType, b []byte) string {
	if d == Complex64 {
		c := complex(le32(b), le32(b[4:]))
		return strconv.FormatComplex(complex128(c), 'g', -1, 64)
	}
	re := math.Float64frombits(binary.LittleEndian.Uint64(b))
	im := math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))
	return strconv.FormatComplex(complex(re, im), 'g', -1, 128)
}

func le32(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }

func smallFloat(d DType, b []byte) (float32, bool) {
	if d == Float32 {
		return le32(b), true
	}
	m, ok := minifloats[d]
	return m.float32(uint32(word(b)) & (1<<(1+m.exp+m.man) - 1)), ok
}

func formatInt(d DType, b []byte) string {
	switch d {
	case Int8, QInt8:
		return strconv.Itoa(int(int8(b[0])))
	case Int4:
		return strconv.Itoa(int(I4(b[0]).Int()))
	case Int2:
		return strconv.Itoa(int(I2(b[0]).Int()))
	case Uint8, QUint8:
		return strconv.Itoa(int(b[0]))
	case Uint4:
		return strconv.Itoa(int(b[0] & 0xf))
	case Uint2:
		return strconv.Itoa(int(b[0] & 3))
	case Int16, QInt16:
		return strconv.Itoa(int(int16(binary.LittleEndian.Uint16(b))))
	case Uint16, QUint16:
		return strconv.Itoa(int(binary.LittleEndian.Uint16(b)))
	case Int32, QInt32:
		return strconv.Itoa(int(int32(binary.LittleEndian.Uint32(b))))
	case Uint32:
		return strconv.FormatUint(uint64(binary.LittleEndian.Uint32(b)), 10)
	case Int64:
		return strconv.FormatInt(int64(binary.LittleEndian.Uint64(b)), 10)
	case Uint64:
		return strconv.FormatUint(binary.LittleEndian.Uint64(b), 10)
	}
	return fmt.Sprintf("%#x", b)
}
