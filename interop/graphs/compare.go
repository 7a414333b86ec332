package graphs

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/trackable"
)

// Altered returns the same graph with every value changed, so that a restore
// has to put every one back.
func (g *Graph) Altered() *Graph {
	altered := *g
	altered.Objects = make([]Object, len(g.Objects))
	for i, o := range g.Objects {
		o.State += "3f"
		if o.Value != nil {
			v := o.Value.altered()
			o.Value = &v
		}
		tensors := make([]NamedValue, len(o.Tensors))
		for j, n := range o.Tensors {
			tensors[j] = NamedValue{n.Name, n.Value.altered()}
		}
		o.Tensors = tensors
		altered.Objects[i] = o
	}
	return &altered
}

// altered flips the lowest bit of every byte, which leaves bools and the
// integers of 4 and 2 bits valid, and makes every string another.
func (v Value) altered() Value {
	digits := []byte(v.Value)
	for i := 1; i < len(digits); i += 2 {
		digits[i] = flipped[digits[i]]
	}
	v.Value = string(digits)
	elems := make([]string, len(v.Strings))
	for i, s := range v.Strings {
		elems[i] = s + "3f"
	}
	v.Strings = elems
	return v
}

// flipped is each hex digit with its lowest bit flipped.
var flipped = map[byte]byte{
	'0': '1', '1': '0', '2': '3', '3': '2', '4': '5', '5': '4', '6': '7', '7': '6',
	'8': '9', '9': '8', 'a': 'b', 'b': 'a', 'c': 'd', 'd': 'c', 'e': 'f', 'f': 'e',
}

// Differs says how the values of b that are part of a checkpoint differ from
// those of another Built of the same graph; nil if they do not.
func (b *Built) Differs(want *Built) error {
	saved := b.saved()
	for i := range b.Objects {
		if !saved[b.Objects[i]] {
			continue
		}
		have, err := attributes(b.Objects[i])
		if err != nil {
			return err
		}
		wanted, err := attributes(want.Objects[i])
		if err != nil {
			return err
		}
		if len(have) != len(wanted) {
			return fmt.Errorf("object %d has %d tensors, want %d", i, len(have), len(wanted))
		}
		for j, a := range have {
			if w := wanted[j]; a.Name != w.Name || !a.Tensor.Equal(w.Tensor) {
				return fmt.Errorf("object %d: tensor %s %v differs from %s %v", i, a.Name, a.Tensor.DType(), w.Name, w.Tensor.DType())
			}
		}
	}
	return nil
}

// Saved reports whether a checkpoint of b holds object i.
func (b *Built) Saved(i int) bool { return b.saved()[b.Objects[i]] }

// saved returns the objects that a checkpoint of b holds: those the edges lead
// to, and the slots of owners and variables among them.
func (b *Built) saved() map[trackable.Object]bool {
	seen := map[trackable.Object]bool{}
	var visit func(trackable.Object)
	visit = func(o trackable.Object) {
		if o == nil || seen[o] {
			return
		}
		seen[o] = true
		for _, c := range o.TrackableChildren() {
			visit(c.Object)
		}
	}
	visit(b.Root())
	for _, c := range append(b.children(b.graph.Attached), b.Late()...) {
		visit(c.Object)
	}
	for _, o := range b.Objects {
		owner, ok := o.(trackable.SlotOwner)
		if !ok || !seen[o] {
			continue
		}
		for _, s := range owner.Slots() {
			if seen[s.Variable] {
				seen[s.Value] = true
			}
		}
	}
	return seen
}

// Values describes the tensors that object i holds by now.
func (b *Built) Values(i int) ([]Value, error) {
	have, err := attributes(b.Objects[i])
	if err != nil {
		return nil, err
	}
	values := make([]Value, len(have))
	for j, a := range have {
		if values[j], err = ValueOf(a.Name, a.Tensor); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func attributes(o trackable.Object) ([]trackable.Attribute, error) {
	if s, ok := o.(trackable.Saveable); ok {
		return s.SerializeToTensors()
	}
	return nil, nil
}
