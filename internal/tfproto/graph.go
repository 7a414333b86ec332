package tfproto

import "google.golang.org/protobuf/encoding/protowire"

// TrackableObjectGraph is the graph of saved objects; node 0 is the root.
// (TensorFlow: TrackableObjectGraph in trackable_object_graph.proto)
type TrackableObjectGraph struct{ Nodes []TrackableObject }

// TrackableObject is a node. HasCheckpointValues is nil in graphs of before
// 2022, which do not say.
type TrackableObject struct {
	Children            []ObjectReference
	Attributes          []SerializedTensor
	SlotVariables       []SlotVariableReference
	RegisteredSaver     *RegisteredSaver
	HasCheckpointValues *bool
}

// ObjectReference is a named edge to another node.
type ObjectReference struct {
	NodeID    int32
	LocalName string
}

// SerializedTensor is a tensor of a node, and its key in the checkpoint.
type SerializedTensor struct{ Name, FullName, CheckpointKey string }

// SlotVariableReference is an optimizer's variable for another variable.
type SlotVariableReference struct {
	OriginalVariableNodeID int32
	SlotName               string
	SlotVariableNodeID     int32
}

// RegisteredSaver names the saver of a node that does not save itself.
type RegisteredSaver struct{ Name, ObjectName string }

// Marshal returns TensorFlow's bytes of g.
func (g TrackableObjectGraph) Marshal() []byte {
	var b, scratch []byte
	for _, n := range g.Nodes {
		b, scratch = n.AppendTo(b, scratch)
	}
	return b
}

// AppendTo appends the node to the bytes of a graph, with memory for what is
// between, which it returns for the next.
func (o *TrackableObject) AppendTo(graph, scratch []byte) (_, again []byte) {
	scratch = o.append(scratch[:0])
	return appendMessage(graph, 1, scratch), scratch
}

// Unmarshal sets g to the message in b.
func (g *TrackableObjectGraph) Unmarshal(b []byte) error {
	*g = TrackableObjectGraph{}
	return parse("object graph", b, func(f field) error {
		if !f.is(1, protowire.BytesType) {
			return nil
		}
		var n TrackableObject
		if err := walk(f.bytes, n.visit); err != nil {
			return err
		}
		g.Nodes = append(g.Nodes, n)
		return nil
	})
}

func (o *TrackableObject) append(b []byte) []byte {
	var part [256]byte // what is longer has memory of its own
	for _, c := range o.Children {
		b = appendMessage(b, 1, appendString(appendVarint(part[:0], 1, c.NodeID), 2, c.LocalName))
	}
	for _, a := range o.Attributes {
		m := appendString(part[:0], 1, a.Name)
		m = appendString(m, 2, a.FullName)
		b = appendMessage(b, 2, appendString(m, 3, a.CheckpointKey))
	}
	for _, s := range o.SlotVariables {
		m := appendVarint(part[:0], 1, s.OriginalVariableNodeID)
		m = appendString(m, 2, s.SlotName)
		b = appendMessage(b, 3, appendVarint(m, 3, s.SlotVariableNodeID))
	}
	if r := o.RegisteredSaver; r != nil {
		b = appendMessage(b, 4, appendString(appendString(part[:0], 1, r.Name), 2, r.ObjectName))
	}
	if has := o.HasCheckpointValues; has != nil {
		value := int32(0)
		if *has {
			value = 1
		}
		// A BoolValue: false is a message that is there but empty.
		b = appendMessage(b, 5, appendVarint(part[:0], 1, value))
	}
	return b
}

func (o *TrackableObject) visit(f field) error {
	if f.typ != protowire.BytesType {
		return nil
	}
	switch f.num {
	case 1:
		o.Children = append(o.Children, ObjectReference{})
		return walk(f.bytes, o.Children[len(o.Children)-1].visit)
	case 2:
		o.Attributes = append(o.Attributes, SerializedTensor{})
		return walk(f.bytes, o.Attributes[len(o.Attributes)-1].visit)
	case 3:
		o.SlotVariables = append(o.SlotVariables, SlotVariableReference{})
		return walk(f.bytes, o.SlotVariables[len(o.SlotVariables)-1].visit)
	case 4:
		if o.RegisteredSaver == nil {
			o.RegisteredSaver = new(RegisteredSaver)
		}
		return walk(f.bytes, o.RegisteredSaver.visit)
	case 5:
		if o.HasCheckpointValues == nil {
			o.HasCheckpointValues = new(bool)
		}
		return walk(f.bytes, func(f field) error {
			if f.is(1, protowire.VarintType) {
				*o.HasCheckpointValues = f.bits != 0
			}
			return nil
		})
	}
	return nil
}

func (r *ObjectReference) visit(f field) error {
	switch {
	case f.is(1, protowire.VarintType):
		r.NodeID = int32(f.bits)
	case f.is(2, protowire.BytesType):
		r.LocalName = string(f.bytes)
	}
	return nil
}

func (t *SerializedTensor) visit(f field) error {
	switch {
	case f.is(1, protowire.BytesType):
		t.Name = string(f.bytes)
	case f.is(2, protowire.BytesType):
		t.FullName = string(f.bytes)
	case f.is(3, protowire.BytesType):
		t.CheckpointKey = string(f.bytes)
	}
	return nil
}

func (s *SlotVariableReference) visit(f field) error {
	switch {
	case f.is(1, protowire.VarintType):
		s.OriginalVariableNodeID = int32(f.bits)
	case f.is(2, protowire.BytesType):
		s.SlotName = string(f.bytes)
	case f.is(3, protowire.VarintType):
		s.SlotVariableNodeID = int32(f.bits)
	}
	return nil
}

func (r *RegisteredSaver) visit(f field) error {
	switch {
	case f.is(1, protowire.BytesType):
		r.Name = string(f.bytes)
	case f.is(2, protowire.BytesType):
		r.ObjectName = string(f.bytes)
	}
	return nil
}
