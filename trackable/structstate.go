package trackable

import (
	"encoding"
	"fmt"
	"reflect"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// goState is the codec of a Go value that turns itself into bytes.
type goState struct{ at place }

func (n goState) bytes() ([]byte, error) {
	p := pointerTo(n.at.value())
	if isBinary(p.Type().Elem()) {
		return p.Interface().(encoding.BinaryMarshaler).MarshalBinary()
	}
	return p.Interface().(encoding.TextMarshaler).MarshalText()
}

func (n goState) set(data []byte) error {
	v := n.at.value()
	p := pointerTo(v)
	var err error
	if isBinary(v.Type()) {
		err = p.Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(data)
	} else {
		err = p.Interface().(encoding.TextUnmarshaler).UnmarshalText(data)
	}
	if err == nil && !v.CanAddr() {
		n.at.store(p.Elem())
	}
	return err
}

// pointerTo returns v's address, or that of a copy if v has none.
func pointerTo(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v.Addr()
	}
	return copyOf(v).Addr()
}

// tensorNode is a Go value of type tensor.Tensor. The zero Tensor is not
// saved, and takes any that is stored.
type tensorNode struct{ at place }

func (n tensorNode) TrackableChildren() []Child { return nil }

func (tensorNode) only(Object) (Attribute, bool) { return Attribute{Name: VariableValue}, true }

func (n tensorNode) tensor() tensor.Tensor { return n.at.value().Interface().(tensor.Tensor) }

func (n tensorNode) SerializeToTensors() ([]Attribute, error) {
	t := n.tensor()
	if t.DType() == tensor.Invalid {
		return nil, nil
	}
	return []Attribute{{Name: VariableValue, Tensor: t}}, nil
}

func (n tensorNode) CheckTensors(stored map[string]format.Info) error {
	info, ok := stored[VariableValue]
	if !ok {
		return missing(VariableValue)
	}
	t := n.tensor()
	if t.DType() != tensor.Invalid && (t.DType() != info.DType || !t.Shape().Equal(info.Shape)) {
		return &Mismatch{Attribute: VariableValue, Stored: info, Want: format.Info{DType: t.DType(), Shape: t.Shape()}}
	}
	return nil
}

func (n tensorNode) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	t := stored[VariableValue]
	if old := n.tensor(); old.DType() != tensor.Invalid && (old.DType() != t.DType() || !old.Shape().Equal(t.Shape())) {
		return fmt.Errorf("stored are %v %v, here %v %v", t.DType(), t.Shape(), old.DType(), old.Shape())
	}
	n.at.store(reflect.ValueOf(t.Clone()))
	return nil
}
