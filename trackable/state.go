package trackable

import (
	"encoding"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// BinaryState is what State saves: a value that turns itself into bytes and
// back, such as *time.Time and *rand.PCG.
type BinaryState interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

// State returns the object that saves v as one string of bytes. v is a
// pointer. Two States of one pointer are the same object.
// (TensorFlow: tf.train.experimental.PythonState)
func State(v BinaryState) Saveable { return state{v} }

// state is comparable by the pointer it holds.
type state struct{ v BinaryState }

func (state) TrackableChildren() []Child { return nil }

func (s state) SerializeToTensors() ([]Attribute, error) {
	data, err := s.v.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return stateAttribute(data)
}

func (s state) CheckTensors(stored map[string]format.Info) error { return checkState(stored) }

func (s state) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	data, err := stateBytes(stored)
	if err != nil {
		return err
	}
	return s.v.UnmarshalBinary(data)
}

// undo returns what takes back a later RestoreFromTensors: whether bytes are
// good for v, only v can tell, and it tells while it changes.
func (s state) undo() func() error {
	data, err := s.v.MarshalBinary()
	if err != nil {
		return nil
	}
	return func() error { return s.v.UnmarshalBinary(data) }
}

func (state) only(Object) (Attribute, bool) { return Attribute{Name: PyState}, true }

func stateAttribute(data []byte) ([]Attribute, error) {
	t, err := tensor.FromStrings(nil, []string{string(data)})
	if err != nil {
		return nil, err
	}
	return []Attribute{{Name: PyState, Tensor: t}}, nil
}

func checkState(stored map[string]format.Info) error {
	info, ok := stored[PyState]
	if !ok {
		return missing(PyState)
	}
	if info.DType != tensor.String || len(info.Shape) != 0 {
		return &Mismatch{Attribute: PyState, Stored: info, Want: format.Info{DType: tensor.String}}
	}
	return nil
}

func stateBytes(stored map[string]tensor.Tensor) ([]byte, error) {
	elems, err := stored[PyState].Strings()
	if err != nil {
		return nil, err
	}
	if len(elems) != 1 {
		return nil, fmt.Errorf("%d strings stored, want one", len(elems))
	}
	return []byte(elems[0]), nil
}
