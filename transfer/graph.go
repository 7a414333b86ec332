package transfer

import (
	"fmt"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// readGraph returns the object graph of src, checked.
func readGraph(src format.Source) (*tfproto.TrackableObjectGraph, error) {
	if _, err := trackable.ReadGraph(src); err != nil {
		return nil, err
	}
	t, err := src.Tensor(trackable.GraphKey)
	if err != nil {
		return nil, err
	}
	text, err := t.Strings()
	if err != nil {
		return nil, err
	}
	g := new(tfproto.TrackableObjectGraph)
	return g, g.Unmarshal([]byte(text[0]))
}

// putGraph adds an object graph.
func (d *derived) putGraph(g *tfproto.TrackableObjectGraph) error {
	t, err := tensor.FromStrings(nil, []string{string(g.Marshal())})
	if err != nil {
		return err
	}
	return d.put(trackable.GraphKey, maker{
		info: format.Info{DType: tensor.String},
		make: func() (tensor.Tensor, error) { return t, nil },
	})
}

// Subtree returns the part of an object-based checkpoint that lies below one
// of its objects, as a checkpoint of its own whose root that object is:
// Subtree(src, "model", "encoder") restores into an encoder what was saved as
// model.encoder. path has the names of the edges. Slots stay where both their
// owner and their variable are in the part. It stands for restoring
// Checkpoint(model=Checkpoint(encoder=encoder)) with expect_partial, but what
// is missing is told.
func Subtree(src format.Source, path ...string) (format.Source, error) {
	g, err := readGraph(src)
	if err != nil {
		return nil, fmt.Errorf("subtree: %w", err)
	}
	root, err := walk(g, path)
	if err != nil {
		return nil, fmt.Errorf("subtree: %w", err)
	}
	part := cutOut(g, root)
	wanted := make(map[string]bool)
	for _, n := range part.Nodes {
		for _, a := range n.Attributes {
			wanted[a.CheckpointKey] = true
		}
	}
	d := newDerived(src)
	for _, name := range src.Names() {
		if wanted[name] && name != trackable.GraphKey {
			if err := d.add(name, name); err != nil {
				return nil, fmt.Errorf("subtree: %w", err)
			}
		}
	}
	return d, d.putGraph(part)
}

// walk follows the edges of path from the root.
func walk(g *tfproto.TrackableObjectGraph, path []string) (int32, error) {
	at := int32(0)
	for i, name := range path {
		next := int32(-1)
		var names []string
		for _, c := range g.Nodes[at].Children {
			names = append(names, c.LocalName)
			if c.LocalName == name && next < 0 {
				next = c.NodeID
			}
		}
		if next < 0 {
			return 0, fmt.Errorf("(root)%s has no child %q, only %q", dotted(path[:i]), name, names)
		}
		at = next
	}
	return at, nil
}

func dotted(path []string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteString("." + name)
	}
	return b.String()
}

// cutOut returns the graph of what root leads to, numbered as TensorFlow does:
// breadth first, slots last.
func cutOut(g *tfproto.TrackableObjectGraph, root int32) *tfproto.TrackableObjectGraph {
	numbers := map[int32]int32{root: 0}
	order := []int32{root}
	number := func(id int32) {
		if _, have := numbers[id]; !have {
			numbers[id] = int32(len(order))
			order = append(order, id)
		}
	}
	for i := 0; i < len(order); i++ {
		for _, c := range g.Nodes[order[i]].Children {
			number(c.NodeID)
		}
	}
	inside := len(order)
	slots := make(map[int32][]tfproto.SlotVariableReference)
	for _, id := range order[:inside] {
		for _, s := range g.Nodes[id].SlotVariables {
			if at, have := numbers[s.OriginalVariableNodeID]; have && int(at) < inside {
				number(s.SlotVariableNodeID)
				slots[id] = append(slots[id], s)
			}
		}
	}
	part := new(tfproto.TrackableObjectGraph)
	for _, id := range order {
		part.Nodes = append(part.Nodes, renumbered(g.Nodes[id], slots[id], numbers))
	}
	return part
}

// renumbered returns a node with the numbers of the part it is now in. A
// slot's edges, which no writer makes, lead out of the part and are dropped.
func renumbered(n tfproto.TrackableObject, slots []tfproto.SlotVariableReference, numbers map[int32]int32) tfproto.TrackableObject {
	m := n
	m.Children, m.SlotVariables = nil, nil
	for _, c := range n.Children {
		if id, have := numbers[c.NodeID]; have {
			m.Children = append(m.Children, tfproto.ObjectReference{NodeID: id, LocalName: c.LocalName})
		}
	}
	for _, s := range slots {
		s.OriginalVariableNodeID, s.SlotVariableNodeID = numbers[s.OriginalVariableNodeID], numbers[s.SlotVariableNodeID]
		m.SlotVariables = append(m.SlotVariables, s)
	}
	return m
}
