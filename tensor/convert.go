package tensor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Convertible reports whether Convert knows the way: both dtypes are those of
// integers, floats or complex numbers, or they are the same. Bools, strings
// and quantized integers are not numbers.
func Convertible(from, to DType) bool {
	return from == to && from.Valid() || classOf(from) != noNumber && classOf(to) != noNumber
}

// Convert returns t's numbers in another dtype. Floats are rounded to the
// nearest that the new type has, ties to even; any other loss is an error: an
// integer out of range, a fraction or a NaN that would become an integer, a
// finite number that would become infinite, an imaginary part that would go.
// The error names the first such element. (TensorFlow: tf.cast)
func Convert(t Tensor, to DType) (Tensor, error) {
	from := t.DType()
	if !Convertible(from, to) {
		return Tensor{}, fmt.Errorf("%v cannot be converted to %v", from, to)
	}
	if from == to {
		return t, nil
	}
	in, out := from.Size(), to.Size()
	_, size, err := byteSize(to, t.Shape())
	if err != nil {
		return Tensor{}, err
	}
	src, dst := t.Bytes(), make([]byte, size)
	convert := converter(from, to, t.NumElements())
	for i := range int(t.NumElements()) {
		if err := convert(dst[i*out:(i+1)*out], src[i*in:(i+1)*in]); err != nil {
			return Tensor{}, fmt.Errorf("element %d: %s %w", i, t.Format(int64(i)), err)
		}
	}
	return FromBytes(to, t.Shape(), dst)
}

// class is what kind of number a dtype is.
type class int

const (
	noNumber class = iota
	signed
	unsigned
	floating
	complexClass
)

func classOf(d DType) class {
	switch d {
	case Int8, Int16, Int32, Int64, Int4, Int2:
		return signed
	case Uint8, Uint16, Uint32, Uint64, Uint4, Uint2:
		return unsigned
	case Complex64, Complex128:
		return complexClass
	case Float32, Float64:
		return floating
	}
	if _, ok := minifloats[d]; ok {
		return floating
	}
	return noNumber
}

// number is an element on its way from one dtype to another. An integer is
// sign and size, since neither int64 nor float64 holds all of them.
type number struct {
	whole  bool
	neg    bool
	size   uint64
	re, im float64
}

func decode(d DType, b []byte) number {
	switch classOf(d) {
	case signed:
		shift := 64 - intBits(d)
		n := int64(word(b)<<shift) >> shift
		if n < 0 {
			return number{whole: true, neg: true, size: -uint64(n)}
		}
		return number{whole: true, size: uint64(n)}
	case unsigned:
		shift := 64 - intBits(d)
		return number{whole: true, size: word(b) << shift >> shift}
	case complexClass:
		part := partOf(d)
		return number{re: decode(part, b[:len(b)/2]).re, im: decode(part, b[len(b)/2:]).re}
	}
	if d == Float64 {
		return number{re: math.Float64frombits(word(b))}
	}
	f, _ := smallFloat(d, b)
	return number{re: float64(f)}
}

// partOf is the dtype of a complex number's two parts.
func partOf(d DType) DType {
	if d == Complex64 {
		return Float32
	}
	return Float64
}

// intBits is how many bits an integer uses of those it takes.
func intBits(d DType) uint {
	switch d {
	case Int4, Uint4:
		return 4
	case Int2, Uint2:
		return 2
	}
	return uint(8 * d.Size())
}

// word is up to eight little-endian bytes as a number.
func word(b []byte) uint64 {
	var w [8]byte
	copy(w[:], b)
	return binary.LittleEndian.Uint64(w[:])
}

func setWord(b []byte, n uint64) {
	var w [8]byte
	binary.LittleEndian.PutUint64(w[:], n)
	copy(b, w[:])
}

// What a number can lose.
var (
	errRange     = errors.New("is out of range")
	errFraction  = errors.New("is no integer")
	errImaginary = errors.New("has an imaginary part")
)

func encode(d DType, b []byte, n number) error {
	switch c := classOf(d); {
	case c == complexClass:
		part := partOf(d)
		if err := encodeFloat(part, b[:len(b)/2], n); err != nil {
			return err
		}
		return encodeFloat(part, b[len(b)/2:], number{re: n.im})
	case n.im != 0: // a NaN, too
		return errImaginary
	case c == floating:
		return encodeFloat(d, b, n)
	}
	return encodeInt(d, b, n)
}

func encodeInt(d DType, b []byte, n number) error {
	if !n.whole {
		size := math.Abs(n.re)
		switch {
		case size != math.Trunc(size): // a NaN, too
			return errFraction
		case size >= 1<<64:
			return errRange
		}
		n.neg, n.size = n.re < 0, uint64(size)
	}
	bits := intBits(d)
	most := uint64(1)<<(bits-1)<<1 - 1
	if classOf(d) == signed {
		most >>= 1
		if n.neg {
			most++
		}
	} else if n.neg {
		most = 0
	}
	if n.size > most {
		return errRange
	}
	value := n.size
	if n.neg {
		value = -value
	}
	// The unused upper bits stay zero, as in TensorFlow.
	setWord(b, value<<(64-bits)>>(64-bits))
	return nil
}

func encodeFloat(d DType, b []byte, n number) error {
	f := n.re
	if n.whole {
		f = float64(n.size)
		if n.neg {
			f = -f
		}
	}
	switch d {
	case Float64:
		setWord(b, math.Float64bits(f))
		return nil
	case Float32:
		f32 := float32(f)
		if n.whole { // rounded once
			f32 = float32(n.size)
			if n.neg {
				f32 = -f32
			}
		}
		if math.IsInf(float64(f32), 0) && !math.IsInf(f, 0) {
			return errRange
		}
		setWord(b, uint64(math.Float32bits(f32)))
		return nil
	}
	bits, ok := minifloats[d].bits(f)
	if !ok {
		return errRange
	}
	setWord(b, uint64(bits))
	return nil
}
