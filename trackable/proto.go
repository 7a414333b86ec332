package trackable

import (
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

// parseGraph decodes a TrackableObjectGraph and checks its references.
func parseGraph(data []byte) (*Graph, error) {
	var m tfproto.TrackableObjectGraph
	if err := m.Unmarshal(data); err != nil {
		return nil, fmt.Errorf("%w: %w", err, format.ErrCorrupt)
	}
	g := &Graph{Nodes: make([]GraphNode, len(m.Nodes))}
	for i, n := range m.Nodes {
		g.Nodes[i] = nodeFromProto(n)
	}
	if err := g.link(); err != nil {
		return nil, err
	}
	return g, nil
}

func nodeFromProto(m tfproto.TrackableObject) GraphNode {
	var n GraphNode
	for _, c := range m.Children {
		n.Children = append(n.Children, Edge{c.LocalName, int(c.NodeID)})
	}
	for _, a := range m.Attributes {
		n.Attributes = append(n.Attributes, StoredTensor{a.Name, a.FullName, a.CheckpointKey})
	}
	for _, s := range m.SlotVariables {
		n.Slots = append(n.Slots, StoredSlot{s.SlotName, int(s.OriginalVariableNodeID), int(s.SlotVariableNodeID)})
	}
	if m.RegisteredSaver != nil {
		n.Saver = m.RegisteredSaver.Name
	}
	return n
}

// marshal returns TensorFlow's bytes of a graph that Save made. Nodes are made
// into messages one by one: all of them would be many times the bytes.
func (g *Graph) marshal() []byte {
	b := make([]byte, 0, g.marshalRoom())
	var m tfproto.TrackableObject
	var scratch []byte
	for i := range g.Nodes {
		g.Nodes[i].toProto(&m)
		b, scratch = m.AppendTo(b, scratch)
	}
	return b
}

// marshalRoom is about how many bytes marshal returns.
func (g *Graph) marshalRoom() (n int) {
	const fields = 16 // tags, lengths and numbers
	for i := range g.Nodes {
		n += fields
		for _, c := range g.Nodes[i].Children {
			n += fields + len(c.Name)
		}
		for _, a := range g.Nodes[i].Attributes {
			n += fields + len(a.Name) + len(a.FullName) + len(a.Key)
		}
		for _, s := range g.Nodes[i].Slots {
			n += fields + len(s.Name)
		}
	}
	return n
}

// toProto sets m, whose memory is used again, to the node.
func (n *GraphNode) toProto(m *tfproto.TrackableObject) {
	*m = tfproto.TrackableObject{
		HasCheckpointValues: &n.HasValues,
		Children:            slices.Grow(m.Children[:0], len(n.Children)),
		Attributes:          m.Attributes[:0],
		SlotVariables:       slices.Grow(m.SlotVariables[:0], len(n.Slots)),
	}
	for _, c := range n.Children {
		m.Children = append(m.Children, tfproto.ObjectReference{NodeID: int32(c.Node), LocalName: c.Name})
	}
	for _, a := range n.Attributes {
		m.Attributes = append(m.Attributes, tfproto.SerializedTensor{Name: a.Name, FullName: a.FullName, CheckpointKey: a.Key})
	}
	for _, s := range n.Slots {
		m.SlotVariables = append(m.SlotVariables, tfproto.SlotVariableReference{
			OriginalVariableNodeID: int32(s.Variable), SlotName: s.Name, SlotVariableNodeID: int32(s.Node),
		})
	}
}
