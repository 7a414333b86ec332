package tensor

import "math"

// The numbers that Go has no type for. F16 is IEEE binary16 and BF16 the upper
// half of a float32; the 8-bit floats and the 4-bit one are named, as in
// ml_dtypes, by the bits of exponent and mantissa: FN has no infinities, UZ no
// negative zero.
type (
	F16           uint16
	BF16          uint16
	F8E5M2        uint8
	F8E4M3FN      uint8
	F8E4M3FNUZ    uint8
	F8E4M3B11FNUZ uint8
	F8E5M2FNUZ    uint8
	F4E2M1FN      uint8
)

// Integers of 4 and 2 bits, one to a byte. TensorFlow leaves the unused upper
// bits zero, for negative numbers too: -1 as I4 is stored 0x0f.
type (
	I4 int8
	U4 uint8
	I2 int8
	U2 uint8
)

// Int returns the number: the low 4 bits, sign-extended.
func (x I4) Int() int8 { return int8(x<<4) >> 4 }

// Int returns the number: the low 2 bits, sign-extended.
func (x I2) Int() int8 { return int8(x<<6) >> 6 }

// ToBF16 rounds to nearest, ties to even.
func ToBF16(f float32) BF16 {
	b := math.Float32bits(f)
	if f != f {
		return BF16(b>>16 | 0x40) // stays a NaN whatever the low bits were
	}
	return BF16((b + 0x7fff + b>>16&1) >> 16)
}

// Float32 returns the same number.
func (x BF16) Float32() float32 { return math.Float32frombits(uint32(x) << 16) }

// ToF16 rounds to nearest, ties to even; what is too large becomes infinite.
func ToF16(f float32) F16 {
	b := math.Float32bits(f)
	sign := F16(b >> 16 & 0x8000)
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN
		return sign | 0x7e00
	case b >= 0x477ff000: // rounds beyond 65504
		return sign | 0x7c00
	case b >= 0x38800000: // normal
		b += 0xfff + b>>13&1
		return sign | F16((b-0x38000000)>>13)
	}
	// Subnormal: the addition aligns the mantissa and rounds as the FPU does.
	const shift = float32(0.5)
	sum := math.Float32bits(math.Float32frombits(b) + shift)
	return sign | F16(sum-math.Float32bits(shift))
}

// Float32 returns the same number.
func (x F16) Float32() float32 {
	return minifloats[Float16].float32(uint32(x))
}

// Float32 returns the same number.
func (x F8E5M2) Float32() float32 {
	return minifloats[Float8E5M2].float32(uint32(x))
}

// Float32 returns the same number.
func (x F8E4M3FN) Float32() float32 {
	return minifloats[Float8E4M3FN].float32(uint32(x))
}

// Float32 returns the same number.
func (x F8E4M3FNUZ) Float32() float32 {
	return minifloats[Float8E4M3FNUZ].float32(uint32(x))
}

// Float32 returns the same number.
func (x F8E4M3B11FNUZ) Float32() float32 {
	return minifloats[Float8E4M3B11FNUZ].float32(uint32(x))
}

// Float32 returns the same number.
func (x F8E5M2FNUZ) Float32() float32 {
	return minifloats[Float8E5M2FNUZ].float32(uint32(x))
}

// Float32 returns the same number: that of the low 4 bits.
func (x F4E2M1FN) Float32() float32 {
	return minifloats[Float4E2M1FN].float32(uint32(x & 0xf))
}

// minifloats describes the floats of up to 16 bits.
var minifloats = map[DType]minifloat{
	Float16:           {exp: 5, man: 10, bias: 15, inf: true},
	BFloat16:          {exp: 8, man: 7, bias: 127, inf: true},
	Float8E5M2:        {exp: 5, man: 2, bias: 15, inf: true},
	Float8E4M3FN:      {exp: 4, man: 3, bias: 7},
	Float8E4M3FNUZ:    {exp: 4, man: 3, bias: 8, uz: true},
	Float8E4M3B11FNUZ: {exp: 4, man: 3, bias: 11, uz: true},
	Float8E5M2FNUZ:    {exp: 5, man: 2, bias: 16, uz: true},
	Float4E2M1FN:      {exp: 2, man: 1, bias: 1, finite: true},
}

// minifloat describes a float of up to 16 bits: sign, exponent, mantissa.
type minifloat struct {
	exp, man uint
	bias     int
	inf      bool // the highest exponent means infinity or NaN
	uz       bool // the pattern of negative zero is the only NaN
	finite   bool // every pattern is a number
}

func (m minifloat) float32(bits uint32) float32 {
	sign := bits >> (m.exp + m.man) & 1
	e := int(bits >> m.man & (1<<m.exp - 1))
	f := bits & (1<<m.man - 1)
	if m.isNaN(sign, e, f) {
		return float32(math.NaN())
	}
	v := m.magnitude(e, f)
	if sign == 1 {
		v = math.Copysign(v, -1)
	}
	return float32(v)
}

func (m minifloat) isNaN(sign uint32, e int, f uint32) bool {
	switch {
	case m.finite:
		return false
	case m.uz:
		return sign == 1 && e == 0 && f == 0
	case m.inf:
		return e == 1<<m.exp-1 && f != 0
	}
	return e == 1<<m.exp-1 && f == 1<<m.man-1
}

func (m minifloat) magnitude(e int, f uint32) float64 {
	switch {
	case m.inf && e == 1<<m.exp-1:
		return math.Inf(1)
	case e == 0:
		return math.Ldexp(float64(f), 1-m.bias-int(m.man))
	}
	return math.Ldexp(float64(f|1<<m.man), e-m.bias-int(m.man))
}

// bits returns the nearest number's pattern; not ok if f is a number that the
// type does not reach, or a NaN or infinity that it has not.
func (m minifloat) bits(f float64) (bits uint32, ok bool) {
	var sign uint32
	if math.Signbit(f) {
		sign = 1 << (m.exp + m.man)
	}
	top := uint32(1)<<(m.exp+m.man) - 1 // all ones but for the sign
	switch {
	case f != f:
		return m.nan(sign, top), !m.finite
	case math.IsInf(f, 0):
		return sign | top>>m.man<<m.man, m.inf
	case f == 0 && m.uz: // there is no negative zero
		return 0, true
	case f == 0:
		return sign, true
	}
	_, e := math.Frexp(f)
	e = max(e-1, 1-m.bias) // below that the numbers are as far apart as there
	// The hidden bit of a normal number, or a carry, raises the exponent field.
	n := uint32(math.RoundToEven(math.Abs(math.Ldexp(f, int(m.man)-e))))
	if e+m.bias-1 > 1<<m.exp {
		return 0, false
	}
	bits = uint32(e+m.bias-1)<<m.man + n
	if bits == 0 && m.uz {
		return 0, true
	}
	return sign | bits, bits <= m.largest(top)
}

// largest is the pattern of the largest number.
func (m minifloat) largest(top uint32) uint32 {
	switch {
	case m.finite || m.uz:
		return top
	case m.inf:
		return top>>m.man<<m.man - 1
	}
	return top - 1
}

// nan is the pattern of a NaN, with the sign if there is a choice.
func (m minifloat) nan(sign, top uint32) uint32 {
	switch {
	case m.uz:
		return 1 << (m.exp + m.man)
	case m.inf:
		return sign | top>>m.man<<m.man | 1<<(m.man-1)
	}
	return sign | top
}
