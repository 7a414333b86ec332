package graphs

import (
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// makers makes a Variable of each element type.
var makers = map[tensor.DType]func(string, tensor.Tensor) (trackable.Object, error){
	tensor.Float32:           variable[float32],
	tensor.Float64:           variable[float64],
	tensor.Int8:              variable[int8],
	tensor.Int16:             variable[int16],
	tensor.Int32:             variable[int32],
	tensor.Int64:             variable[int64],
	tensor.Uint8:             variable[uint8],
	tensor.Uint16:            variable[uint16],
	tensor.Uint32:            variable[uint32],
	tensor.Uint64:            variable[uint64],
	tensor.Bool:              variable[bool],
	tensor.Complex64:         variable[complex64],
	tensor.Complex128:        variable[complex128],
	tensor.Float16:           variable[tensor.F16],
	tensor.BFloat16:          variable[tensor.BF16],
	tensor.Float8E5M2:        variable[tensor.F8E5M2],
	tensor.Float8E4M3FN:      variable[tensor.F8E4M3FN],
	tensor.Float8E4M3FNUZ:    variable[tensor.F8E4M3FNUZ],
	tensor.Float8E4M3B11FNUZ: variable[tensor.F8E4M3B11FNUZ],
	tensor.Float8E5M2FNUZ:    variable[tensor.F8E5M2FNUZ],
	tensor.Float4E2M1FN:      variable[tensor.F4E2M1FN],
	tensor.Int4:              variable[tensor.I4],
	tensor.Uint4:             variable[tensor.U4],
	tensor.Int2:              variable[tensor.I2],
	tensor.Uint2:             variable[tensor.U2],
	tensor.String:            stringVariable,
}

// NewVariable returns a trackable.Variable of the value's type that owns its
// memory.
func NewVariable(fullName string, v Value) (trackable.Object, error) {
	t, err := v.Tensor()
	if err != nil {
		return nil, err
	}
	maker, ok := makers[t.DType()]
	if !ok {
		return nil, fmt.Errorf("no variables of %v", t.DType())
	}
	return maker(fullName, t)
}

func variable[E tensor.Element](name string, t tensor.Tensor) (trackable.Object, error) {
	elems, err := tensor.Elements[E](t)
	if err != nil {
		return nil, err
	}
	return trackable.NewVariable(name, t.Shape(), append([]E{}, elems...)), nil
}

func stringVariable(name string, t tensor.Tensor) (trackable.Object, error) {
	elems, err := t.Strings()
	if err != nil {
		return nil, err
	}
	return &trackable.StringVariable{Name: name, Shape: t.Shape(), Value: slices.Clone(elems)}, nil
}
