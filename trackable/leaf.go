package trackable

import (
	"fmt"
	"reflect"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// leafNode is a Go value that is one tensor: a number, bool or string, or
// slices and arrays of them.
type leafNode struct{ at place }

// leafElem returns the element type of a leaf; nil if t is not a leaf's.
func leafElem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		if kindOfElem(t.Elem()) {
			return nil
		}
		t = t.Elem()
	}
	if leafDType(t) == tensor.Invalid {
		return nil
	}
	return t
}

// kindOfElem reports whether elements of type t are objects of their own,
// although their underlying type is a number or a slice.
func kindOfElem(t reflect.Type) bool {
	return t.Kind() != reflect.Pointer && (isObject(t) || isState(t))
}

// leafDType returns what elements of type t are stored as: int and uint, whose
// size depends on the machine, with 64 bits.
func leafDType(t reflect.Type) tensor.DType {
	switch t.Kind() {
	case reflect.Int:
		return tensor.Int64
	case reflect.Uint:
		return tensor.Uint64
	case reflect.String:
		return tensor.String
	}
	return tensor.DTypeOfType(t)
}

func (n leafNode) TrackableChildren() []Child { return nil }

func (leafNode) only(Object) (Attribute, bool) { return Attribute{Name: VariableValue}, true }

func (n leafNode) SerializeToTensors() ([]Attribute, error) {
	v := n.at.value()
	if !v.CanAddr() && v.Kind() != reflect.Slice {
		v = copyOf(v)
	}
	shape, err := shapeOf(v)
	if err != nil {
		return nil, err
	}
	t, err := gather(v, shape)
	if err != nil {
		return nil, err
	}
	return []Attribute{{Name: VariableValue, Tensor: t}}, nil
}

// SerializedBytes counts rows that would have to be copied together, without it.
func (n leafNode) SerializedBytes() (int64, error) {
	v := n.at.value()
	d := leafDType(leafElem(v.Type()))
	if d == tensor.String {
		return textBytes(v), nil
	}
	shape, err := shapeOf(v)
	if err != nil {
		return 0, err
	}
	elems, err := shape.NumElements()
	return elems * int64(d.Size()), err
}

func textBytes(v reflect.Value) (n int64) {
	if v.Kind() == reflect.String {
		return int64(v.Len())
	}
	for i := range v.Len() {
		n += textBytes(v.Index(i))
	}
	return n
}

// shapeOf returns the lengths of nested slices and arrays. Where a slice is
// empty, those inside count as empty too.
func shapeOf(v reflect.Value) (tensor.Shape, error) {
	var shape tensor.Shape
	for t, first := v.Type(), v; ; {
		switch t.Kind() {
		case reflect.Array:
			shape = append(shape, int64(t.Len()))
		case reflect.Slice:
			length := 0
			if first.IsValid() {
				length = first.Len()
			}
			shape = append(shape, int64(length))
		default:
			return shape, checkRows(v, shape)
		}
		t = t.Elem()
		if first.IsValid() && first.Len() > 0 {
			first = first.Index(0)
		} else {
			first = reflect.Value{}
		}
	}
}

// checkRows refuses ragged slices.
func checkRows(v reflect.Value, shape tensor.Shape) error {
	if len(shape) == 0 {
		return nil
	}
	if int64(v.Len()) != shape[0] {
		return fmt.Errorf("ragged: rows of %d and of %d elements", shape[0], v.Len())
	}
	if contiguous(v.Type().Elem()) {
		return nil
	}
	for i := range v.Len() {
		if err := checkRows(v.Index(i), shape[1:]); err != nil {
			return err
		}
	}
	return nil
}

func (n leafNode) CheckTensors(stored map[string]format.Info) error {
	info, ok := stored[VariableValue]
	if !ok {
		return missing(VariableValue)
	}
	v := n.at.value()
	want, err := wanted(v)
	if err != nil {
		return err
	}
	fits := info.DType == want.DType && len(info.Shape) == len(want.Shape)
	for i := 0; fits && i < len(want.Shape); i++ {
		fits = want.Shape[i] == anyLength || want.Shape[i] == info.Shape[i]
	}
	if !fits {
		return &Mismatch{Attribute: VariableValue, Stored: info, Want: want}
	}
	return checkRowCount(v.Type(), info.Shape)
}

// narrow reports whether values that a file can hold do not fit.
func (n leafNode) narrow() bool { return n.at != nil && narrow(leafElem(n.at.value().Type())) }

// checkValues refuses numbers that this machine's int does not hold, while
// nothing is changed yet.
func (n leafNode) checkValues(stored map[string]tensor.Tensor) error {
	if !n.narrow() {
		return nil
	}
	return fitsInt(leafElem(n.at.value().Type()), stored[VariableValue].Bytes())
}

// anyLength is the wanted length of a slice that is nil: what TensorFlow has
// for a dimension that is not known.
const anyLength = -1

// wanted returns what v can be restored from.
func wanted(v reflect.Value) (format.Info, error) {
	info := format.Info{DType: leafDType(leafElem(v.Type()))}
	if v.Kind() != reflect.Slice || !v.IsNil() {
		var err error
		info.Shape, err = shapeOf(v)
		return info, err
	}
	for t := v.Type(); ; t = t.Elem() {
		switch t.Kind() {
		case reflect.Slice:
			info.Shape = append(info.Shape, anyLength)
		case reflect.Array:
			info.Shape = append(info.Shape, int64(t.Len()))
		default:
			return info, nil
		}
	}
}

// maxEmptyRows bounds slices of empty slices: a shape like [1<<40, 0] has no
// elements, so no bytes of a file vouch for its rows.
const maxEmptyRows = 1 << 16

func checkRowCount(t reflect.Type, shape tensor.Shape) error {
	n, err := shape.NumElements()
	if err != nil || n > 0 || len(shape) == 0 {
		return err
	}
	rows := int64(1)
	for _, length := range shape {
		if t = t.Elem(); contiguous(t) || length == 0 {
			return nil
		}
		if length > maxEmptyRows || rows*length > maxEmptyRows {
			return fmt.Errorf("shape %v: more than %d empty rows", shape, maxEmptyRows)
		}
		rows *= length
	}
	return nil
}

func (n leafNode) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	t := stored[VariableValue]
	if err := n.CheckTensors(map[string]format.Info{VariableValue: {DType: t.DType(), Shape: t.Shape()}}); err != nil {
		return err
	}
	v := n.at.value()
	if v.CanAddr() {
		return scatter(v, t)
	}
	c := copyOf(v)
	if err := scatter(c, t); err != nil {
		return err
	}
	n.at.store(c)
	return nil
}
