package crc32c

// A CRC is a polynomial over GF(2) modulo P, and appending n bytes multiplies
// it by x^(8n). In this bit-reversed form the top bit is the coefficient of
// x^0, so that dividing by two multiplies by x.
const (
	poly = 0x82f63b78 // P without its leading term
	one  = 1 << 31
	x    = 1 << 30
)

// powers[i] is x^(2^i) mod P: enough for 8 times any int64.
var powers = func() (t [66]uint32) {
	t[0] = x
	for i := 1; i < len(t); i++ {
		t[i] = multiply(t[i-1], t[i-1])
	}
	return t
}()

// Combine returns the CRC of A followed by B, given the CRCs of both and the
// length of B, so that bytes hashed once, as parts, need no second pass.
func Combine(a, b uint32, lenB int64) uint32 {
	shift := uint32(one)
	for i, n := 3, uint64(lenB); n != 0; i, n = i+1, n>>1 {
		if n&1 != 0 {
			shift = multiply(shift, powers[i])
		}
	}
	return multiply(a, shift) ^ b
}

// multiply returns a·b mod P.
func multiply(a, b uint32) uint32 {
	var product uint32
	for ; a != 0; a <<= 1 {
		if a&one != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= poly
		}
	}
	return product
}
