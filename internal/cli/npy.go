package cli

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// A .npy file, version 1.0 (numpy/lib/format.py):
//
//	0   "\x93NUMPY" 0x01 0x00
//	8   length of the header, little-endian uint16
//	10  the header: a Python dict as text, filled with spaces and ended by "\n"
//	    so that the data begin at a multiple of 64
//	    the elements
const (
	npyMagic = "\x93NUMPY\x01\x00"
	npyAlign = 64
)

// npyTypes gives the numpy type of each dtype. Types that numpy does not have
// are written as whole numbers: quantized and narrow integers as their
// values, which loses nothing but the name; floats below 32 bits as their
// bits, which `.view(ml_dtypes.bfloat16)` makes numbers again.
var npyTypes = map[tensor.DType]string{
	tensor.Float64: "<f8", tensor.Float32: "<f4", tensor.Float16: "<f2",
	tensor.Complex64: "<c8", tensor.Complex128: "<c16", tensor.Bool: "|b1",
	tensor.Int64: "<i8", tensor.Int32: "<i4", tensor.Int16: "<i2", tensor.Int8: "|i1",
	tensor.Uint64: "<u8", tensor.Uint32: "<u4", tensor.Uint16: "<u2", tensor.Uint8: "|u1",
	tensor.QInt32: "<i4", tensor.QInt16: "<i2", tensor.QInt8: "|i1",
	tensor.QUint16: "<u2", tensor.QUint8: "|u1",
	tensor.Int4: "|i1", tensor.Int2: "|i1", tensor.Uint4: "|u1", tensor.Uint2: "|u1",
	tensor.BFloat16: "<u2", tensor.Float8E5M2: "|u1", tensor.Float8E4M3FN: "|u1",
	tensor.Float8E4M3FNUZ: "|u1", tensor.Float8E4M3B11FNUZ: "|u1", tensor.Float8E5M2FNUZ: "|u1",
	tensor.Float4E2M1FN: "|u1",
}

// npyHeader returns everything that stands before the elements.
func npyHeader(d tensor.DType, shape tensor.Shape) ([]byte, error) {
	descr, ok := npyTypes[d]
	if !ok {
		return nil, hintf(fmt.Errorf("npy: %v: %w: numpy has no such type", d, format.ErrUnsupported), "use --format json")
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, pyTuple(shape))
	size := len(npyMagic) + 2 + len(dict) + 1
	dict += strings.Repeat(" ", (npyAlign-size%npyAlign)%npyAlign) + "\n"
	header := binary.LittleEndian.AppendUint16([]byte(npyMagic), uint16(len(dict)))
	return append(header, dict...), nil
}

// pyTuple returns the shape as Python writes a tuple: "()", "(3,)", "(2, 3)".
func pyTuple(shape tensor.Shape) string {
	parts := make([]string, len(shape))
	for i, n := range shape {
		parts[i] = strconv.FormatInt(n, 10)
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// npyNote says how to get the numbers back of a dtype written as its bits,
// or "".
func npyNote(d tensor.DType) string {
	switch d {
	case tensor.BFloat16, tensor.Float8E5M2, tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ,
		tensor.Float8E4M3B11FNUZ, tensor.Float8E5M2FNUZ, tensor.Float4E2M1FN:
		return fmt.Sprintf("numpy has no %v: written as its bits; numpy.load(f).view(ml_dtypes.%v) gives the numbers", d, d)
	}
	return ""
}

// npyBytes returns the elements of t as numpy has them in memory: a byte of a
// bool is 0 or 1, an integer of 4 or 2 bits fills its byte.
func npyBytes(t tensor.Tensor) []byte {
	one, ok := npyByte[t.DType()]
	if !ok {
		return t.Bytes()
	}
	out := make([]byte, len(t.Bytes()))
	for i, b := range t.Bytes() {
		out[i] = one(b)
	}
	return out
}

var npyByte = map[tensor.DType]func(byte) byte{
	tensor.Bool:  func(b byte) byte { return min(b, 1) },
	tensor.Int4:  func(b byte) byte { return byte(int8(b<<4) >> 4) },
	tensor.Int2:  func(b byte) byte { return byte(int8(b<<6) >> 6) },
	tensor.Uint4: func(b byte) byte { return b & 0xf },
	tensor.Uint2: func(b byte) byte { return b & 3 },
}
