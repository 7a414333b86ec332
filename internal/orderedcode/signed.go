package orderedcode

import (
	"encoding/binary"
	"math/bits"
)

// headers[n] is XORed into the first two bytes of a signed number of n bytes.
var headers = [11][2]byte{
	1: {0x80}, 2: {0xc0}, 3: {0xe0}, 4: {0xf0}, 5: {0xf8},
	6: {0xfc}, 7: {0xfe}, 8: {0xff}, 9: {0xff, 0x80}, 10: {0xff, 0xc0},
}

// signedLen returns how many bytes the code of v takes: each carries 7 bits,
// and one bit is the sign's.
func signedLen(v int64) int {
	if v < 0 {
		v = ^v
	}
	return bits.Len64(uint64(v))/7 + 1
}

// AppendSigned appends the code of v to b.
// (TensorFlow: WriteSignedNumIncreasing)
func AppendSigned(b []byte, v int64) []byte {
	var wide [10]byte // v, sign-extended to 80 bits
	if v < 0 {
		wide[0], wide[1] = 0xff, 0xff
	}
	binary.BigEndian.PutUint64(wide[2:], uint64(v))
	n := signedLen(v)
	code := wide[10-n:]
	code[0] ^= headers[n][0]
	if n > 1 {
		code[1] ^= headers[n][1]
	}
	return append(b, code...)
}

// Signed takes a signed number off the front of b.
func Signed(b []byte) (v int64, rest []byte, err error) {
	n := codeLen(b)
	if n == 0 || len(b) < n {
		return 0, nil, ErrMalformed
	}
	var wide [10]byte
	if b[0] < 0x80 {
		wide = [10]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	code := wide[10-n:]
	copy(code, b[:n])
	code[0] ^= headers[n][0]
	if n > 1 {
		code[1] ^= headers[n][1]
	}
	v = int64(binary.BigEndian.Uint64(wide[2:]))
	// A longer code than v needs, or bits beyond an int64, is no code of v.
	if signedLen(v) != n || wide[0] != wide[1] || (wide[0] != 0) != (v < 0) {
		return 0, nil, ErrMalformed
	}
	return v, b[n:], nil
}

// codeLen returns the length that the first bytes of b declare; 0 if none.
func codeLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	first := b[0]
	if first < 0x80 {
		first = ^first
	}
	n := bits.LeadingZeros8(^first)
	if n < 8 || len(b) < 2 {
		return n
	}
	second := b[1]
	if b[0] < 0x80 {
		second = ^second
	}
	return min(8+bits.LeadingZeros8(^second), 10)
}
