package tensor

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// MaxRank is the largest number of dimensions a stored tensor can have
// (core/framework/tensor_shape.h).
const MaxRank = 254

// Shape is the length of each dimension, outermost first; a scalar's is
// empty. (TensorFlow: tf.TensorShape)
type Shape []int64

// NumElements returns the product of the dimensions. It fails on a negative
// dimension, on more than MaxRank dimensions and on overflow, so that its
// result is safe to size by.
func (s Shape) NumElements() (int64, error) {
	if len(s) > MaxRank {
		return 0, fmt.Errorf("shape of %d dimensions: more than %d", len(s), MaxRank)
	}
	if i := slices.IndexFunc(s, func(d int64) bool { return d < 0 }); i >= 0 {
		return 0, fmt.Errorf("shape %v: dimension %d is negative", s, i)
	}
	if slices.Contains(s, 0) {
		return 0, nil
	}
	n := uint64(1)
	for _, d := range s {
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("shape %v: more elements than an int64 counts", s)
		}
		n = lo
	}
	return int64(n), nil
}

// Equal reports whether s and t have the same dimensions.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// String returns the dimensions as "[2,3]"; "[]" is a scalar's.
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = strconv.FormatInt(d, 10)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// byteSize returns the bytes that a tensor of this dtype and shape takes, and
// its number of elements.
func byteSize(d DType, s Shape) (elems, size int64, err error) {
	n, err := s.NumElements()
	if err != nil {
		return 0, 0, err
	}
	hi, lo := bits.Mul64(uint64(n), uint64(d.Size()))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, 0, fmt.Errorf("shape %v of %v: more bytes than an int64 counts", s, d)
	}
	return n, int64(lo), nil
}
