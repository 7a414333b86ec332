package graphs

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ckpt-dev/ckpt/trackable"
)

// Built is a Graph's objects, by id.
type Built struct {
	graph   *Graph
	Objects []trackable.Object
}

// Build makes the objects: all of them empty first, then their edges, so that
// they may hold each other.
func (g *Graph) Build() (*Built, error) {
	b := &Built{graph: g, Objects: make([]trackable.Object, len(g.Objects))}
	for i, o := range g.Objects {
		made, err := o.make()
		if err != nil {
			return nil, fmt.Errorf("graph %s: object %d: %w", g.Name, i, err)
		}
		b.Objects[i] = made
	}
	for i, o := range g.Objects {
		if err := b.fill(o, b.Objects[i]); err != nil {
			return nil, fmt.Errorf("graph %s: object %d: %w", g.Name, i, err)
		}
	}
	return b, nil
}

// Root returns the root object, or nil if the Checkpoint is node 0.
func (b *Built) Root() trackable.Object {
	if b.graph.Root == nil {
		return nil
	}
	return b.Objects[*b.graph.Root]
}

// Attached returns the Checkpoint's named objects.
func (b *Built) Attached() map[string]trackable.Object {
	named := map[string]trackable.Object{}
	for _, e := range b.graph.Attached {
		named[e.Name] = b.Objects[e.Object]
	}
	return named
}

// Late returns what is tracked after the first save.
func (b *Built) Late() []trackable.Child { return b.children(b.graph.Late) }

func (b *Built) children(edges []Edge) []trackable.Child {
	children := make([]trackable.Child, len(edges))
	for i, e := range edges {
		children[i] = trackable.Child{Name: e.Name, Object: b.Objects[e.Object]}
	}
	return children
}

func (o Object) make() (trackable.Object, error) {
	switch o.Kind {
	case "node":
		return new(trackable.Node), nil
	case "list":
		// A List has no place for what is not an object, so that such a
		// list is a Node with the numbers that TensorFlow gives.
		return new(trackable.Node), nil
	case "tuple":
		return trackable.NewList(), nil
	case "namedtuple":
		return new(trackable.Node), nil
	case "dict":
		return trackable.NewDict(), nil
	case "variable":
		return NewVariable(o.FullName, *o.Value)
	case "tensors":
		return newTensors(o.Tensors)
	case "state":
		data, err := hex.DecodeString(o.State)
		return trackable.State(&State{Data: data}), err
	case "slots":
		return new(SlotOwner), nil
	}
	return nil, fmt.Errorf("unknown kind %q", o.Kind)
}

func (b *Built) fill(o Object, made trackable.Object) error {
	if n, ok := made.(interface {
		Track(string, trackable.Object) *trackable.Node
	}); ok {
		for _, c := range b.children(o.Children) {
			n.Track(c.Name, c.Object)
		}
	}
	if owner, ok := made.(*SlotOwner); ok {
		owner.slots, owner.lazy = b.slots(o.Slots), b.slots(o.Lazy)
	}
	switch o.Kind {
	case "list", "tuple":
		return b.fillList(o, made)
	case "dict", "namedtuple":
		return b.fillNamed(o, made)
	}
	return nil
}

func (b *Built) fillList(o Object, made trackable.Object) error {
	var items []*int
	if err := json.Unmarshal(o.Items, &items); err != nil {
		return err
	}
	for i, id := range items {
		if id == nil {
			continue
		}
		switch m := made.(type) {
		case *trackable.List:
			m.Append(b.Objects[*id])
		case *trackable.Node:
			m.Track(strconv.Itoa(i), b.Objects[*id])
		}
	}
	return nil
}

func (b *Built) fillNamed(o Object, made trackable.Object) error {
	var items []Edge
	if err := json.Unmarshal(o.Items, &items); err != nil {
		return err
	}
	for _, c := range b.children(items) {
		switch m := made.(type) {
		case *trackable.Dict:
			m.Set(c.Name, c.Object)
		case *trackable.Node:
			m.Track(c.Name, c.Object)
		}
	}
	// A named tuple's elements have numbers too (trackable/data_structures.py).
	if m, ok := made.(*trackable.Node); ok {
		for i, c := range b.children(items) {
			m.Track(strconv.Itoa(i), c.Object)
		}
	}
	return nil
}
