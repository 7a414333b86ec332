package graphs

import (
	"bytes"
	"fmt"

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
}

// Slots lists the slots.
func (o *SlotOwner) Slots() []trackable.Slot { return o.slots }

// MakeSlot refuses: the slots of a description exist before it is restored.
func (o *SlotOwner) MakeSlot(_ trackable.Object, name string) (trackable.Object, error) {
	return nil, fmt.Errorf("no slot %q", name)
}

func (o *SlotOwner) fill(b *Built, slots []Slot) {
	for _, s := range slots {
		for _, p := range s.Pairs {
			o.slots = append(o.slots, trackable.Slot{Variable: b.Objects[p[0]], Name: s.Name, Value: b.Objects[p[1]]})
		}
	}
}
