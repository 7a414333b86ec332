package orderedcode

// maxRank is the most dimensions a tensor has (core/framework/tensor_shape.h).
const maxRank = 254

// SliceKey returns the key under which a slice of the tensor name is stored:
// 0, the name, the rank and, for each dimension, start and length; a whole
// dimension has start 0 and length -1. It sorts before every ordinary name.
// (TensorFlow: EncodeTensorNameSlice)
func SliceKey(name string, start, length []int64) string {
	b := make([]byte, 0, len(name)+4+4*len(start))
	b = AppendNumber(b, 0)
	b = AppendString(b, name)
	b = AppendNumber(b, uint64(len(start)))
	for i := range start {
		b = AppendSigned(b, start[i])
		b = AppendSigned(b, length[i])
	}
	return string(b)
}

// ParseSliceKey returns what SliceKey encoded. A rank of 0 is accepted: V1
// files store scalars so. (TensorFlow: DecodeTensorNameSlice)
func ParseSliceKey(key string) (name string, start, length []int64, err error) {
	zero, b, err := Number([]byte(key))
	if err != nil || zero != 0 {
		return "", nil, nil, ErrMalformed
	}
	name, b, err = String(b)
	if err != nil {
		return "", nil, nil, err
	}
	rank, b, err := Number(b)
	if err != nil || rank > maxRank {
		return "", nil, nil, ErrMalformed
	}
	start, length = make([]int64, rank), make([]int64, rank)
	for i := range start {
		if start[i], b, err = Signed(b); err == nil {
			length[i], b, err = Signed(b)
		}
		if err != nil {
			return "", nil, nil, err
		}
	}
	if len(b) != 0 {
		return "", nil, nil, ErrMalformed
	}
	return name, start, length, nil
}
