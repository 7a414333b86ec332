package tfproto

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// BundleHeader is the value of the empty key of an index.
// (TensorFlow: BundleHeaderProto in tensor_bundle.proto)
type BundleHeader struct {
	NumShards  int32
	Endianness int32 // Little or Big
	Version    *VersionDef
}

// The values of BundleHeader.Endianness.
const (
	Little = 0
	Big    = 1
)

// VersionDef says who can read a file. (TensorFlow: VersionDef)
type VersionDef struct {
	Producer, MinConsumer int32
	BadConsumers          []int32
}

// BundleEntry is the value of a tensor's key in an index.
// (TensorFlow: BundleEntryProto)
type BundleEntry struct {
	DType        int32
	Shape        TensorShape
	ShardID      int32
	Offset, Size int64
	CRC32C       uint32 // masked
	Slices       []TensorSlice
}

// Marshal returns TensorFlow's bytes of h.
func (h BundleHeader) Marshal() []byte {
	b := appendVarint(nil, 1, h.NumShards)
	b = appendVarint(b, 2, h.Endianness)
	if h.Version != nil {
		b = appendMessage(b, 3, h.Version.marshal())
	}
	return b
}

// Unmarshal sets h to the message in b.
func (h *BundleHeader) Unmarshal(b []byte) error {
	*h = BundleHeader{}
	return parse("bundle header", b, func(f field) error {
		switch {
		case f.is(1, protowire.VarintType):
			h.NumShards = int32(f.bits)
		case f.is(2, protowire.VarintType):
			h.Endianness = int32(f.bits)
		case f.is(3, protowire.BytesType):
			if h.Version == nil {
				h.Version = new(VersionDef)
			}
			return h.Version.merge(f.bytes)
		}
		return nil
	})
}

// Check says whether version consumer of a reader, which reads what producers
// from minProducer on wrote, may read the file. A file without versions is of
// producer 0. (TensorFlow: CheckVersions in core/framework/versions.cc)
func (v *VersionDef) Check(consumer, minProducer int32) error {
	switch {
	case v == nil:
		return nil
	case v.Producer < minProducer:
		return fmt.Errorf("checkpoint producer version %d is below %d", v.Producer, minProducer)
	case v.MinConsumer > consumer:
		return fmt.Errorf("checkpoint min consumer version %d is above %d, which this reads", v.MinConsumer, consumer)
	case slices.Contains(v.BadConsumers, consumer):
		return fmt.Errorf("checkpoint disallows consumer version %d, which this is", consumer)
	}
	return nil
}

func (v VersionDef) marshal() []byte {
	b := appendVarint(nil, 1, v.Producer)
	b = appendVarint(b, 2, v.MinConsumer)
	var packed []byte
	for _, c := range v.BadConsumers {
		packed = protowire.AppendVarint(packed, uint64(int64(c)))
	}
	return appendString(b, 3, packed)
}

func (v *VersionDef) merge(b []byte) error {
	return walk(b, func(f field) error {
		switch {
		case f.is(1, protowire.VarintType):
			v.Producer = int32(f.bits)
		case f.is(2, protowire.VarintType):
			v.MinConsumer = int32(f.bits)
		case f.is(3, protowire.VarintType):
			v.BadConsumers = append(v.BadConsumers, int32(f.bits))
		case f.is(3, protowire.BytesType):
			for p := f.bytes; len(p) > 0; {
				c, n := protowire.ConsumeVarint(p)
				if n < 0 {
					return protowire.ParseError(n)
				}
				v.BadConsumers = append(v.BadConsumers, int32(c))
				p = p[n:]
			}
		}
		return nil
	})
}

// Marshal returns TensorFlow's bytes of e. The shape is there even for a
// scalar, as TensorFlow always sets it.
func (e BundleEntry) Marshal() []byte {
	b := appendVarint(nil, 1, e.DType)
	b = appendMessage(b, 2, e.Shape.marshal())
	b = appendVarint(b, 3, e.ShardID)
	b = appendVarint(b, 4, e.Offset)
	b = appendVarint(b, 5, e.Size)
	if e.CRC32C != 0 {
		b = protowire.AppendTag(b, 6, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, e.CRC32C)
	}
	for _, s := range e.Slices {
		b = appendMessage(b, 7, s.marshal())
	}
	return b
}

// Unmarshal sets e to the message in b.
func (e *BundleEntry) Unmarshal(b []byte) error {
	*e = BundleEntry{}
	return parse("bundle entry", b, e.visit)
}

func (e *BundleEntry) visit(f field) error {
	switch {
	case f.is(1, protowire.VarintType):
		e.DType = int32(f.bits)
	case f.is(2, protowire.BytesType):
		return e.Shape.merge(f.bytes)
	case f.is(3, protowire.VarintType):
		e.ShardID = int32(f.bits)
	case f.is(4, protowire.VarintType):
		e.Offset = int64(f.bits)
	case f.is(5, protowire.VarintType):
		e.Size = int64(f.bits)
	case f.is(6, protowire.Fixed32Type):
		e.CRC32C = uint32(f.bits)
	case f.is(7, protowire.BytesType):
		var s TensorSlice
		if err := s.merge(f.bytes); err != nil {
			return err
		}
		e.Slices = append(e.Slices, s)
	}
	return nil
}
