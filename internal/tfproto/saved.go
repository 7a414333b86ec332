package tfproto

import "google.golang.org/protobuf/encoding/protowire"

// SavedTensorSlices is a value in a V1 checkpoint: Meta under the empty key,
// Data under the others. (TensorFlow: SavedTensorSlices in
// saved_tensor_slice.proto)
type SavedTensorSlices struct {
	Meta *SavedTensorSliceMeta
	Data *SavedSlice
}

// SavedTensorSliceMeta lists the tensors of one V1 file.
type SavedTensorSliceMeta struct {
	Tensors  []SavedSliceMeta
	Versions *VersionDef
}

// SavedSliceMeta describes a tensor and says which slices of it a file holds.
type SavedSliceMeta struct {
	Name   string
	Shape  TensorShape // of the whole
	Type   int32
	Slices []TensorSlice
}

// SavedSlice is a slice of a tensor and its value.
type SavedSlice struct {
	Name  string
	Slice TensorSlice
	Data  TensorProto
}

// Marshal returns TensorFlow's bytes of s.
func (s SavedTensorSlices) Marshal() []byte {
	var b []byte
	if s.Meta != nil {
		b = appendMessage(b, 1, s.Meta.marshal())
	}
	if s.Data != nil {
		b = appendMessage(b, 2, s.Data.marshal())
	}
	return b
}

// Unmarshal sets s to the message in b. Values share b's memory.
func (s *SavedTensorSlices) Unmarshal(b []byte) error {
	*s = SavedTensorSlices{}
	return parse("saved tensor slices", b, func(f field) error {
		switch {
		case f.is(1, protowire.BytesType):
			if s.Meta == nil {
				s.Meta = new(SavedTensorSliceMeta)
			}
			return walk(f.bytes, s.Meta.visit)
		case f.is(2, protowire.BytesType):
			if s.Data == nil {
				s.Data = new(SavedSlice)
			}
			return walk(f.bytes, s.Data.visit)
		}
		return nil
	})
}

func (m SavedTensorSliceMeta) marshal() []byte {
	var b []byte
	for _, t := range m.Tensors {
		b = appendMessage(b, 1, t.marshal())
	}
	if m.Versions != nil {
		b = appendMessage(b, 2, m.Versions.marshal())
	}
	return b
}

func (m *SavedTensorSliceMeta) visit(f field) error {
	switch {
	case f.is(1, protowire.BytesType):
		m.Tensors = append(m.Tensors, SavedSliceMeta{})
		return walk(f.bytes, m.Tensors[len(m.Tensors)-1].visit)
	case f.is(2, protowire.BytesType):
		if m.Versions == nil {
			m.Versions = new(VersionDef)
		}
		return m.Versions.merge(f.bytes)
	}
	return nil
}

func (m SavedSliceMeta) marshal() []byte {
	b := appendString(nil, 1, m.Name)
	b = appendMessage(b, 2, m.Shape.marshal())
	b = appendVarint(b, 3, m.Type)
	for _, s := range m.Slices {
		b = appendMessage(b, 4, s.marshal())
	}
	return b
}

func (m *SavedSliceMeta) visit(f field) error {
	switch {
	case f.is(1, protowire.BytesType):
		m.Name = string(f.bytes)
	case f.is(2, protowire.BytesType):
		return m.Shape.merge(f.bytes)
	case f.is(3, protowire.VarintType):
		m.Type = int32(f.bits)
	case f.is(4, protowire.BytesType):
		m.Slices = append(m.Slices, TensorSlice{})
		return m.Slices[len(m.Slices)-1].merge(f.bytes)
	}
	return nil
}

func (s SavedSlice) marshal() []byte {
	b := appendString(nil, 1, s.Name)
	b = appendMessage(b, 2, s.Slice.marshal())
	return appendMessage(b, 3, s.Data.Marshal())
}

func (s *SavedSlice) visit(f field) error {
	switch {
	case f.is(1, protowire.BytesType):
		s.Name = string(f.bytes)
	case f.is(2, protowire.BytesType):
		return s.Slice.merge(f.bytes)
	case f.is(3, protowire.BytesType):
		return walk(f.bytes, s.Data.visit)
	}
	return nil
}
