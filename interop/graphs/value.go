package graphs

import (
	"encoding/hex"
	"fmt"

	"github.com/ckpt-dev/ckpt/tensor"
)

// Value is a tensor in the exact JSON form of interop/py/values.py.
type Value struct {
	Name  string       `json:"name,omitempty"`
	DType string       `json:"dtype"`
	Shape tensor.Shape `json:"shape"`
	// Value is the little-endian bytes in hex, Strings is each element in hex.
	Value   string   `json:"value"`
	Strings []string `json:"strings"`
}

// Tensor returns the tensor that v describes.
func (v Value) Tensor() (tensor.Tensor, error) {
	d, err := tensor.ParseDType(v.DType)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if d == tensor.String {
		elems, err := v.elems()
		if err != nil {
			return tensor.Tensor{}, err
		}
		return tensor.FromStrings(v.Shape, elems)
	}
	data, err := hex.DecodeString(v.Value)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("value of %s: %w", v.Name, err)
	}
	return tensor.FromBytes(d, v.Shape, data)
}

func (v Value) elems() ([]string, error) {
	elems := make([]string, len(v.Strings))
	for i, s := range v.Strings {
		b, err := hex.DecodeString(s)
		if err != nil {
			return nil, fmt.Errorf("element %d of %s: %w", i, v.Name, err)
		}
		elems[i] = string(b)
	}
	return elems, nil
}

// ValueOf describes a tensor.
func ValueOf(name string, t tensor.Tensor) (Value, error) {
	v := Value{Name: name, DType: t.DType().String(), Shape: t.Shape()}
	if v.Shape == nil {
		v.Shape = tensor.Shape{} // a scalar is [] in JSON, never null
	}
	if t.DType() != tensor.String {
		v.Value = hex.EncodeToString(t.Bytes())
		return v, nil
	}
	elems, err := t.Strings()
	if err != nil {
		return Value{}, err
	}
	v.Strings = make([]string, len(elems))
	for i, s := range elems {
		v.Strings[i] = hex.EncodeToString([]byte(s))
	}
	return v, nil
}
