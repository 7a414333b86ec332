package gomlx

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// dimensions returns a GoMLX shape's dimensions as a checkpoint has them.
func dimensions(s shapes.Shape) tensor.Shape {
	dims := make(tensor.Shape, s.Rank())
	for i, d := range s.Dimensions {
		dims[i] = int64(d)
	}
	return dims
}

// view returns a tensor that shares value's memory, and so changes with it;
// of a value on a device, and of packed integers, it holds a copy.
func view(value *tensors.Tensor) (tensor.Tensor, error) {
	d, err := toStored(value.DType())
	if err != nil {
		return tensor.Tensor{}, err
	}
	var data []byte
	if err := value.ConstBytes(func(b []byte) { data = b }); err != nil {
		return tensor.Tensor{}, err
	}
	if value.DType().IsPacked() {
		data = unpack(data, value.DType(), value.Size())
	}
	return tensor.FromBytes(d, dimensions(value.Shape()), data)
}

// newValue returns a copy of t for a variable.
func newValue(t tensor.Tensor) (*tensors.Tensor, error) {
	d, err := toHeld(t.DType())
	if err != nil {
		return nil, err
	}
	dims := make([]int, len(t.Shape()))
	for i, n := range t.Shape() {
		if dims[i] = int(n); int64(dims[i]) != n {
			return nil, fmt.Errorf("shape %v: too large for this machine", t.Shape())
		}
	}
	v := tensors.FromShape(shapes.Make(d, dims...))
	data := t.Bytes()
	if d.IsPacked() {
		data = pack(data, d)
	}
	if err := v.MutableBytes(func(b []byte) { copy(b, data) }); err != nil {
		return nil, err
	}
	return v, nil
}

// unpack gives each integer of less than a byte its own, as TensorFlow does;
// GoMLX has the first one in the lowest bits.
func unpack(packed []byte, d dtypes.DType, n int) []byte {
	perByte, bits := d.ValuesPerStorageUnit(), d.Bits()
	mask := byte(1)<<bits - 1
	out := make([]byte, n)
	for i := range out {
		out[i] = packed[i/perByte] >> (i % perByte * bits) & mask
	}
	return out
}

func pack(bytes []byte, d dtypes.DType) []byte {
	perByte, bits := d.ValuesPerStorageUnit(), d.Bits()
	mask := byte(1)<<bits - 1
	out := make([]byte, d.SizeForDimensions(len(bytes)))
	for i, b := range bytes {
		out[i/perByte] |= b & mask << (i % perByte * bits)
	}
	return out
}
