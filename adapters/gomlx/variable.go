package gomlx

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// variable is a place as the owner of a tensor. Two of them are the same
// object when their places are.
type variable struct{ *place }

// SerializeToTensors returns the variable's value, which shares its memory.
func (v variable) SerializeToTensors() ([]trackable.Attribute, error) {
	path := v.variable.Path()
	value, err := v.variable.Value()
	if err != nil {
		return nil, err // names the variable: it has no value yet
	}
	t, err := view(value)
	if err != nil {
		return nil, fmt.Errorf("variable %s: %w", path, err)
	}
	return []trackable.Attribute{{Name: trackable.VariableValue, FullName: path[1:], Tensor: t}}, nil
}

// SerializedBytes does not fetch the value from its device.
func (v variable) SerializedBytes() (int64, error) {
	d, err := toStored(v.variable.DType())
	if err != nil {
		return 0, fmt.Errorf("variable %s: %w", v.variable.Path(), err)
	}
	elems, err := dimensions(v.variable.Shape()).NumElements()
	return elems * int64(d.Size()), err
}

// CheckTensors refuses another dtype or shape than the variable has, and of a
// variable that is still to be created, what GoMLX cannot hold.
func (v variable) CheckTensors(stored map[string]format.Info) error {
	info, ok := stored[trackable.VariableValue]
	if !ok {
		return &trackable.Mismatch{Attribute: trackable.VariableValue, Err: errors.New("checkpoint has no value of it")}
	}
	if v.variable == nil {
		v.announced = true
		_, err := toHeld(info.DType)
		return err
	}
	d, err := toStored(v.variable.DType())
	if err != nil {
		return fmt.Errorf("variable %s: %w", v.variable.Path(), err)
	}
	if want := dimensions(v.variable.Shape()); d != info.DType || !want.Equal(info.Shape) {
		return &trackable.Mismatch{
			Attribute: trackable.VariableValue,
			Stored:    info,
			Want:      format.Info{DType: d, Shape: want},
		}
	}
	return nil
}

// RestoreFromTensors gives the variable a copy of the stored value.
func (v variable) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	value, err := newValue(stored[trackable.VariableValue])
	if err != nil {
		return err
	}
	if v.variable == nil {
		v.loaded = value
		return nil
	}
	return v.variable.SetValue(value)
}
