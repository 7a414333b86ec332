package trackable

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Variable is a tensor that is saved and restored. Restoring copies into
// Value, which must have the stored shape; a Variable whose Value is nil and
// whose Shape is nil, or as stored, gets a fresh one.
// (TensorFlow: tf.Variable)
type Variable[E tensor.Element] struct {
	Name  string // stored as TensorFlow's full_name, "dense/kernel"; matching does not use it
	Shape tensor.Shape
	Value []E // row-major
	lastRestore
}

// NewVariable returns a Variable that shares value.
func NewVariable[E tensor.Element](name string, shape tensor.Shape, value []E) *Variable[E] {
	return &Variable[E]{Name: name, Shape: shape, Value: value}
}

// NewScalar returns a Variable that holds one number: v.Value[0].
func NewScalar[E tensor.Element](name string, value E) *Variable[E] {
	return &Variable[E]{Name: name, Value: []E{value}}
}

// TrackableChildren returns nil: a variable has none.
func (v *Variable[E]) TrackableChildren() []Child { return nil }

// SerializeToTensors returns the one tensor, sharing Value.
func (v *Variable[E]) SerializeToTensors() ([]Attribute, error) {
	t, err := tensor.New(v.Shape, v.Value)
	if err != nil {
		return nil, err
	}
	return []Attribute{{Name: VariableValue, FullName: v.Name, Tensor: t}}, nil
}

// CheckTensors refuses another dtype, and another shape unless the Variable is
// still without value.
func (v *Variable[E]) CheckTensors(stored map[string]format.Info) error {
	return checkVariable(stored, tensor.DTypeOf[E](), v.Shape, len(v.Value), v.Value == nil)
}

// RestoreFromTensors copies the stored elements into Value.
func (v *Variable[E]) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	t := stored[VariableValue]
	elems, err := tensor.Elements[E](t)
	if err != nil {
		return err
	}
	v.Shape, v.Value, err = assign(v.Shape, v.Value, t.Shape(), elems)
	return err
}

func (v *Variable[E]) only(o Object) (Attribute, bool) {
	return Attribute{Name: VariableValue, FullName: v.Name}, o == Object(v)
}

func (v *Variable[E]) destination(o Object) []byte {
	t, err := tensor.New(v.Shape, v.Value)
	if err != nil || o != Object(v) || !sameInMemory(reflect.TypeFor[E]()) {
		return nil
	}
	return t.Bytes()
}

// StringVariable is a Variable of strings. (TensorFlow: tf.Variable)
type StringVariable struct {
	Name  string
	Shape tensor.Shape
	Value []string
	lastRestore
}

// TrackableChildren returns nil: a variable has none.
func (v *StringVariable) TrackableChildren() []Child { return nil }

// SerializeToTensors returns the one tensor, sharing Value.
func (v *StringVariable) SerializeToTensors() ([]Attribute, error) {
	t, err := tensor.FromStrings(v.Shape, v.Value)
	if err != nil {
		return nil, err
	}
	return []Attribute{{Name: VariableValue, FullName: v.Name, Tensor: t}}, nil
}

// CheckTensors refuses what is not strings, and another shape unless the
// variable is still without value.
func (v *StringVariable) CheckTensors(stored map[string]format.Info) error {
	return checkVariable(stored, tensor.String, v.Shape, len(v.Value), v.Value == nil)
}

// RestoreFromTensors copies the stored strings into Value.
func (v *StringVariable) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	t := stored[VariableValue]
	elems, err := t.Strings()
	if err != nil {
		return err
	}
	v.Shape, v.Value, err = assign(v.Shape, v.Value, t.Shape(), cloneStrings(elems))
	return err
}

func (v *StringVariable) only(o Object) (Attribute, bool) {
	return Attribute{Name: VariableValue, FullName: v.Name}, o == Object(v)
}

// checkVariable is what variables want: one tensor of their dtype and, unless
// they have no value yet, of their shape.
func checkVariable(stored map[string]format.Info, d tensor.DType, shape tensor.Shape, elems int, empty bool) error {
	info, ok := stored[VariableValue]
	if !ok {
		return missing(VariableValue)
	}
	fits := info.Shape.Equal(shape) || empty && shape == nil
	if info.DType != d || !fits {
		return &Mismatch{Attribute: VariableValue, Stored: info, Want: format.Info{DType: d, Shape: shape}}
	}
	if n, err := shape.NumElements(); !empty && (err != nil || n != int64(elems)) {
		return fmt.Errorf("variable of shape %v has %d elements", shape, elems)
	}
	return nil
}

// missing is the Mismatch of a tensor the checkpoint does not have.
func missing(attribute string) *Mismatch {
	return &Mismatch{Attribute: attribute, Err: errors.New("checkpoint has no tensor " + attribute + " for it")}
}

// assign copies elems into value, which keeps its memory, or clones them for a
// variable that has none yet.
func assign[E any](shape tensor.Shape, value []E, stored tensor.Shape, elems []E) (tensor.Shape, []E, error) {
	if value == nil {
		return slices.Clone(stored), slices.Clone(elems), nil
	}
	if !shape.Equal(stored) || len(value) != len(elems) {
		return shape, value, fmt.Errorf("stored shape is %v, the variable's %v", stored, shape)
	}
	copySteps(value, elems)
	return shape, value, nil
}

// cloneStrings copies strings whose memory may belong to a file.
func cloneStrings(elems []string) []string {
	own := make([]string, len(elems))
	for i, e := range elems {
		own[i] = strings.Clone(e)
	}
	return own
}
