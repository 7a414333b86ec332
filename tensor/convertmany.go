package tensor

import (
	"encoding/binary"
	"math"
)

// convertElement converts one element of src into dst.
type convertElement func(dst, src []byte) error

// converter returns how elements are converted when there are n of them. The
// long way, by number, knows every pair of dtypes and takes a hundred
// nanoseconds: minutes for a model in a precision that others were trained in.
func converter(from, to DType, n int64) convertElement {
	long := func(dst, src []byte) error { return encode(to, dst, decode(from, src)) }
	if short := shortWay(from, to); short != nil {
		return func(dst, src []byte) error {
			if short(dst, src) {
				return nil
			}
			return long(dst, src) // which says why not
		}
	}
	if bits := 8 * from.Size(); bits <= 16 && n > 1<<bits {
		return remembered(long, 1<<bits, to.Size())
	}
	return long
}

// shortWay returns how floats become others of less or more precision; nil for
// what is rare. It reports false for what the new type does not reach.
func shortWay(from, to DType) func(dst, src []byte) bool {
	le := binary.LittleEndian
	switch {
	case from == Float32 && to == BFloat16:
		return func(dst, src []byte) bool {
			f := le32(src)
			h := ToBF16(f)
			le.PutUint16(dst, uint16(h))
			return h&0x7fff != 0x7f80 || math.IsInf(float64(f), 0)
		}
	case from == Float32 && to == Float16:
		return func(dst, src []byte) bool {
			f := le32(src)
			h := ToF16(f)
			le.PutUint16(dst, uint16(h))
			return h&0x7fff != 0x7c00 || math.IsInf(float64(f), 0)
		}
	case from == BFloat16 && to == Float32:
		return func(dst, src []byte) bool {
			le.PutUint32(dst, uint32(le.Uint16(src))<<16)
			return true
		}
	case from == Float32 && to == Float64:
		return func(dst, src []byte) bool {
			le.PutUint64(dst, math.Float64bits(float64(le32(src))))
			return true
		}
	case from == Float64 && to == Float32:
		return func(dst, src []byte) bool {
			f := math.Float64frombits(le.Uint64(src))
			le.PutUint32(dst, math.Float32bits(float32(f)))
			return !math.IsInf(float64(float32(f)), 0) || math.IsInf(f, 0)
		}
	}
	return nil
}

// remembered converts each of the few values that small elements have once.
func remembered(convert convertElement, values, size int) convertElement {
	known, results := make([]bool, values), make([]byte, values*size)
	return func(dst, src []byte) error {
		at := int(src[0])
		if len(src) > 1 {
			at |= int(src[1]) << 8
		}
		result := results[at*size : (at+1)*size]
		if !known[at] {
			if err := convert(result, src); err != nil {
				return err
			}
			known[at] = true
		}
		copy(dst, result)
		return nil
	}
}
