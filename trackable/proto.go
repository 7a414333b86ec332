package trackable

import (
	"fmt"

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

// marshal returns TensorFlow's bytes of a graph that Save made.
func (g *Graph) marshal() []byte {
	m := tfproto.TrackableObjectGraph{Nodes: make([]tfproto.TrackableObject, len(g.Nodes))}
	for i, n := range g.Nodes {
		m.Nodes[i] = n.toProto()
	}
	return m.Marshal()
}

func (n GraphNode) toProto() tfproto.TrackableObject {
	m := tfproto.TrackableObject{HasCheckpointValues: &n.HasValues}
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
	return m
}
