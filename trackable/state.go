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
func State(v BinaryState) Saveable { return state{marshaled{v}} }

// state is an object that is one string of bytes. Two are the same object when
// their codecs are equal.
type state struct{ codec }

// codec turns a value into bytes and back. Whether bytes are good for a value
// only the value can tell, and it tells while it changes: see undo.
type codec interface {
	bytes() ([]byte, error)
	set(data []byte) error
}

type marshaled struct{ v BinaryState }

func (m marshaled) bytes() ([]byte, error) { return m.v.MarshalBinary() }
func (m marshaled) set(data []byte) error  { return m.v.UnmarshalBinary(data) }

func (state) TrackableChildren() []Child { return nil }

func (state) only(Object) (Attribute, bool) { return Attribute{Name: PyState}, true }

func (s state) SerializeToTensors() ([]Attribute, error) {
	data, err := s.bytes()
	if err != nil {
		return nil, err
	}
	t, err := tensor.FromStrings(nil, []string{string(data)})
	if err != nil {
		return nil, err
	}
	return []Attribute{{Name: PyState, Tensor: t}}, nil
}

func (state) CheckTensors(stored map[string]format.Info) error {
	info, ok := stored[PyState]
	if !ok {
		return missing(PyState)
	}
	if info.DType != tensor.String || len(info.Shape) != 0 {
		return &Mismatch{Attribute: PyState, Stored: info, Want: format.Info{DType: tensor.String}}
	}
	return nil
}

func (s state) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	elems, err := stored[PyState].Strings()
	if err != nil {
		return err
	}
	if len(elems) != 1 {
		return fmt.Errorf("%d strings stored, want one", len(elems))
	}
	return s.set([]byte(elems[0]))
}

// undo returns what takes back a later RestoreFromTensors; nil if the value, as
// it is now, has no bytes.
func (s state) undo() func() error {
	data, err := s.bytes()
	if err != nil {
		return nil
	}
	return func() error { return s.set(data) }
}
