package graphs

import (
	"bytes"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// State is a BinaryState of any bytes.
type State struct{ Data []byte }

// MarshalBinary returns the bytes.
func (s *State) MarshalBinary() ([]byte, error) { return bytes.Clone(s.Data), nil }

// UnmarshalBinary takes new bytes.
func (s *State) UnmarshalBinary(data []byte) error {
	s.Data = bytes.Clone(data)
	return nil
}

// Tensors is an object with several tensors of its own.
type Tensors struct {
	trackable.Node
	names []string
	byOwn map[string]tensor.Tensor
}

func newTensors(named []NamedValue) (*Tensors, error) {
	t := &Tensors{byOwn: map[string]tensor.Tensor{}}
	for _, n := range named {
		value, err := n.Value.Tensor()
		if err != nil {
			return nil, err
		}
		t.names = append(t.names, n.Name)
		t.byOwn[n.Name] = value
	}
	return t, nil
}

// SerializeToTensors returns the tensors in their order.
func (t *Tensors) SerializeToTensors() ([]trackable.Attribute, error) {
	var out []trackable.Attribute
	for _, name := range t.names {
		out = append(out, trackable.Attribute{Name: name, Tensor: t.byOwn[name]})
	}
	return out, nil
}

// CheckTensors wants all of them, of the dtypes they have; as in TensorFlow the
// object itself does not mind another shape.
func (t *Tensors) CheckTensors(stored map[string]format.Info) error {
	for _, name := range t.names {
		want := format.Info{DType: t.byOwn[name].DType(), Shape: t.byOwn[name].Shape()}
		info, ok := stored[name]
		if !ok {
			return &trackable.Mismatch{Attribute: name, Err: fmt.Errorf("no tensor %q", name)}
		}
		if info.DType != want.DType {
			return &trackable.Mismatch{Attribute: name, Stored: info, Want: want}
		}
	}
	return nil
}

// RestoreFromTensors takes new values for all of them.
func (t *Tensors) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	for _, name := range t.names {
		value, ok := stored[name]
		if !ok {
			return fmt.Errorf("no tensor %q", name)
		}
		t.byOwn[name] = value.Clone()
	}
	return nil
}

// SlotOwner is all that an optimizer is to a checkpoint.
type SlotOwner struct {
	trackable.Node
	slots []trackable.Slot
	lazy  []trackable.Slot // made when a restore asks
}

// Slots lists the slots there are by now.
func (o *SlotOwner) Slots() []trackable.Slot { return o.slots }

// MakeSlot makes the slots that are described as lazy, and no others.
func (o *SlotOwner) MakeSlot(variable trackable.Object, name string) (trackable.Object, error) {
	for _, s := range o.lazy {
		if s.Variable == variable && s.Name == name {
			o.slots = append(o.slots, s)
			return s.Value, nil
		}
	}
	return nil, nil
}

// AddSlot adds a slot, and restores what waits for it.
func (o *SlotOwner) AddSlot(s trackable.Slot) {
	o.slots = append(o.slots, s)
	o.TrackSlot(s)
}

func (b *Built) slots(slots []Slot) []trackable.Slot {
	var all []trackable.Slot
	for _, s := range slots {
		for _, p := range s.Pairs {
			all = append(all, trackable.Slot{Variable: b.Objects[p[0]], Name: s.Name, Value: b.Objects[p[1]]})
		}
	}
	return all
}
