// Package orderedcode encodes names and numbers so that the codes compare,
// byte by byte, as their values do. TensorFlow makes the keys of slices of
// partitioned tensors of it (core/lib/strings/ordered_code.cc).
//
//	number   count of significant bytes | those bytes, big-endian
//	string   00 as 00 ff, ff as ff 00, other bytes as they are | 00 01
//	signed   sign-extended big-endian in n bytes, where n-1 leading one bits
//	         of the (inverted, if negative) first bytes tell n
package orderedcode

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// ErrMalformed says that bytes are not the code of what was asked for.
var ErrMalformed = errors.New("malformed ordered code")

// AppendNumber appends the code of v to b. (TensorFlow: WriteNumIncreasing)
func AppendNumber(b []byte, v uint64) []byte {
	n := (bits.Len64(v) + 7) / 8
	b = append(b, byte(n))
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], v)
	return append(b, be[8-n:]...)
}

// Number takes a number off the front of b.
func Number(b []byte) (v uint64, rest []byte, err error) {
	if len(b) == 0 || b[0] > 8 || len(b) < 1+int(b[0]) {
		return 0, nil, ErrMalformed
	}
	n := int(b[0])
	if n > 0 && b[1] == 0 {
		return 0, nil, ErrMalformed // not the shortest code
	}
	for _, c := range b[1 : 1+n] {
		v = v<<8 | uint64(c)
	}
	return v, b[1+n:], nil
}

// AppendString appends the code of s to b. (TensorFlow: WriteString)
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		switch s[i] {
		case 0x00:
			b = append(b, 0x00, 0xff)
		case 0xff:
			b = append(b, 0xff, 0x00)
		default:
			b = append(b, s[i])
		}
	}
	return append(b, 0x00, 0x01)
}

// String takes a string off the front of b.
func String(b []byte) (s string, rest []byte, err error) {
	var out []byte
	for i := 0; i+1 < len(b); i++ {
		switch {
		case b[i] != 0x00 && b[i] != 0xff:
			out = append(out, b[i])
			continue
		case b[i] == 0x00 && b[i+1] == 0x01:
			return string(out), b[i+2:], nil
		case b[i]^b[i+1] != 0xff:
			return "", nil, ErrMalformed
		}
		out = append(out, b[i])
		i++
	}
	return "", nil, ErrMalformed
}
