package tfproto

import "google.golang.org/protobuf/encoding/protowire"

// TensorShape is the length of each dimension. (TensorFlow: TensorShapeProto;
// its dimensions' names are never set in a checkpoint)
type TensorShape struct {
	Dims        []int64
	UnknownRank bool
}

// TensorSlice is a region: start and length of each dimension. A dimension
// that is whole because nobody gave numbers has start 0 and length -1.
// (TensorFlow: TensorSliceProto)
type TensorSlice struct{ Start, Length []int64 }

func (s TensorShape) marshal() []byte {
	var b []byte
	for _, d := range s.Dims {
		b = appendMessage(b, 2, appendVarint(nil, 1, d))
	}
	if s.UnknownRank {
		b = appendVarint(b, 3, int32(1))
	}
	return b
}

func (s *TensorShape) merge(b []byte) error {
	return walk(b, func(f field) error {
		switch {
		case f.is(2, protowire.BytesType):
			size := int64(0)
			err := walk(f.bytes, func(f field) error {
				if f.is(1, protowire.VarintType) {
					size = int64(f.bits)
				}
				return nil
			})
			if s.Dims == nil {
				s.Dims = make([]int64, 0, 4) // most have no more: one allocation
			}
			s.Dims = append(s.Dims, size)
			return err
		case f.is(3, protowire.VarintType):
			s.UnknownRank = f.bits != 0
		}
		return nil
	})
}

func (s TensorSlice) marshal() []byte {
	var b []byte
	for i := range s.Start {
		extent := appendVarint(nil, 1, s.Start[i])
		if s.Length[i] != -1 {
			// In a oneof, the length is there even when it is zero.
			extent = protowire.AppendTag(extent, 2, protowire.VarintType)
			extent = protowire.AppendVarint(extent, uint64(s.Length[i]))
		}
		b = appendMessage(b, 1, extent)
	}
	return b
}

func (s *TensorSlice) merge(b []byte) error {
	return walk(b, func(f field) error {
		if !f.is(1, protowire.BytesType) {
			return nil
		}
		start, length := int64(0), int64(-1)
		err := walk(f.bytes, func(f field) error {
			switch {
			case f.is(1, protowire.VarintType):
				start = int64(f.bits)
			case f.is(2, protowire.VarintType):
				length = int64(f.bits)
			}
			return nil
		})
		s.Start, s.Length = append(s.Start, start), append(s.Length, length)
		return err
	})
}
