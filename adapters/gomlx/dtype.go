package gomlx

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/gomlx/compute/dtypes"
)

// storedAs says which dtype a checkpoint gives to one of GoMLX. Missing are
// those that GoMLX cannot hold in memory (floats of 8 and 4 bits) and those
// that TensorFlow has no number for (integers of 1 bit).
var storedAs = map[dtypes.DType]tensor.DType{
	dtypes.Bool:       tensor.Bool,
	dtypes.Int2:       tensor.Int2,
	dtypes.Int4:       tensor.Int4,
	dtypes.Int8:       tensor.Int8,
	dtypes.Int16:      tensor.Int16,
	dtypes.Int32:      tensor.Int32,
	dtypes.Int64:      tensor.Int64,
	dtypes.Uint2:      tensor.Uint2,
	dtypes.Uint4:      tensor.Uint4,
	dtypes.Uint8:      tensor.Uint8,
	dtypes.Uint16:     tensor.Uint16,
	dtypes.Uint32:     tensor.Uint32,
	dtypes.Uint64:     tensor.Uint64,
	dtypes.Float16:    tensor.Float16,
	dtypes.BFloat16:   tensor.BFloat16,
	dtypes.Float32:    tensor.Float32,
	dtypes.Float64:    tensor.Float64,
	dtypes.Complex64:  tensor.Complex64,
	dtypes.Complex128: tensor.Complex128,
}

// heldAs is storedAs the other way round.
var heldAs = func() map[tensor.DType]dtypes.DType {
	held := make(map[tensor.DType]dtypes.DType, len(storedAs))
	for g, t := range storedAs {
		held[t] = g
	}
	return held
}()

func toStored(d dtypes.DType) (tensor.DType, error) {
	if t, ok := storedAs[d]; ok {
		return t, nil
	}
	return tensor.Invalid, fmt.Errorf("dtype %v: a checkpoint cannot hold it", d)
}

func toHeld(d tensor.DType) (dtypes.DType, error) {
	if g, ok := heldAs[d]; ok {
		return g, nil
	}
	return dtypes.InvalidDType, fmt.Errorf("dtype %v: a variable of GoMLX cannot hold it", d)
}
