package tensor

import (
	"encoding/binary"
	"math"
)

// NonFinite is how many of some elements are no numbers.
type NonFinite struct {
	NaN, Inf int64
	First    int64 // index of the first of them; 0 if there is none
}

// FindNonFinite counts the elements in data, little-endian and of type d, that
// are NaN or infinite. Of a complex one the worse part counts. Types that have
// neither have none.
func FindNonFinite(d DType, data []byte) NonFinite {
	var found NonFinite
	kind := classes[d]
	if kind == nil || allFinite(d, data) {
		return found
	}
	size := d.Size()
	for i := 0; i+size <= len(data); i += size {
		k := kind(data[i:])
		if k == finite {
			continue
		}
		if found.NaN+found.Inf == 0 {
			found.First = int64(i / size)
		}
		if k == nan {
			found.NaN++
		} else {
			found.Inf++
		}
	}
	return found
}

// allFinite looks for the highest exponent in floats of 16 bits and more, which
// most tensors do not have. False says nothing. It is several times as fast.
func allFinite(d DType, data []byte) bool {
	switch d {
	case Float32, Complex64:
		for ; len(data) >= 4; data = data[4:] {
			if binary.LittleEndian.Uint32(data)&0x7f800000 == 0x7f800000 {
				return false
			}
		}
	case Float64, Complex128:
		for ; len(data) >= 8; data = data[8:] {
			if binary.LittleEndian.Uint64(data)&(0x7ff<<52) == 0x7ff<<52 {
				return false
			}
		}
	case BFloat16, Float16:
		top := uint16(0x7c00)
		if d == BFloat16 {
			top = 0x7f80
		}
		for ; len(data) >= 2; data = data[2:] {
			if binary.LittleEndian.Uint16(data)&top == top {
				return false
			}
		}
	default:
		return false
	}
	return true
}

// What an element may be, the worst last.
const (
	finite = iota
	infinite
	nan
)

// classes tells what an element is, by its type: the floats that can be other
// than finite.
var classes = map[DType]func(b []byte) int{
	Float32: func(b []byte) int { return kindOf(uint64(binary.LittleEndian.Uint32(b)), 8, 23) },
	Float64: kind64,
	Complex64: func(b []byte) int {
		return max(kindOf(uint64(binary.LittleEndian.Uint32(b)), 8, 23), kindOf(uint64(binary.LittleEndian.Uint32(b[4:])), 8, 23))
	},
	Complex128:        func(b []byte) int { return max(kind64(b), kind64(b[8:])) },
	Float16:           func(b []byte) int { return kindOf(uint64(binary.LittleEndian.Uint16(b)), 5, 10) },
	BFloat16:          func(b []byte) int { return kindOf(uint64(binary.LittleEndian.Uint16(b)), 8, 7) },
	Float8E5M2:        func(b []byte) int { return kindOf(uint64(b[0]), 5, 2) },
	Float8E4M3FN:      func(b []byte) int { return kindOfFloat(F8E4M3FN(b[0]).Float32()) },
	Float8E4M3FNUZ:    func(b []byte) int { return kindOfFloat(F8E4M3FNUZ(b[0]).Float32()) },
	Float8E4M3B11FNUZ: func(b []byte) int { return kindOfFloat(F8E4M3B11FNUZ(b[0]).Float32()) },
	Float8E5M2FNUZ:    func(b []byte) int { return kindOfFloat(F8E5M2FNUZ(b[0]).Float32()) },
}

func kind64(b []byte) int { return kindOf(binary.LittleEndian.Uint64(b), 11, 52) }

// kindOf is that of IEEE 754: the highest exponent is infinity without a
// mantissa, and NaN with one.
func kindOf(bits uint64, exp, man uint) int {
	top := uint64(1)<<exp - 1
	switch {
	case bits>>man&top != top:
		return finite
	case bits&(1<<man-1) != 0:
		return nan
	}
	return infinite
}

func kindOfFloat(f float32) int {
	if math.IsNaN(float64(f)) {
		return nan
	}
	return finite // these have no infinity
}
