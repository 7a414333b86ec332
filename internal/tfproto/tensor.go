package tfproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// TensorProto is a value as V1 checkpoints hold it: the elements in the field
// of their type, with neither dtype nor shape set. Variants and resources do
// not occur there. (TensorFlow: TensorProto)
type TensorProto struct {
	DType   int32
	Shape   *TensorShape
	Content []byte           // tensor_content
	Packed  [fieldEnd][]byte // numeric fields by number, as packed payloads
	Strings [][]byte         // string_val
}

// Numbers of the fields that hold elements (framework/tensor.proto).
const (
	floatVal    = 5
	doubleVal   = 6
	intVal      = 7
	stringVal   = 8
	scomplexVal = 9
	int64Val    = 10
	boolVal     = 11
	dcomplexVal = 12
	halfVal     = 13
	uint32Val   = 16
	uint64Val   = 17
	float8Val   = 18
	fieldEnd    = 19
)

// wires gives the wire type of one element of a numeric field; that of
// float8_val is bytes, one each.
var wires = [fieldEnd]protowire.Type{
	floatVal: protowire.Fixed32Type, scomplexVal: protowire.Fixed32Type,
	doubleVal: protowire.Fixed64Type, dcomplexVal: protowire.Fixed64Type,
	float8Val: protowire.BytesType,
}

// valueFields gives the field of each DataType's elements; 0 if there is none.
var valueFields = [...]protowire.Number{
	1: floatVal, 2: doubleVal, 3: intVal, 4: intVal, 5: intVal, 6: intVal, 8: scomplexVal,
	9: int64Val, 10: boolVal, 11: intVal, 12: intVal, 13: intVal, 14: halfVal, 15: intVal, 16: intVal,
	17: intVal, 18: dcomplexVal, 19: halfVal, 22: uint32Val, 23: uint64Val,
	24: float8Val, 25: float8Val, 26: float8Val, 27: float8Val, 28: float8Val,
	29: intVal, 30: intVal, 31: intVal, 32: intVal,
}

// ErrNoField says that a TensorProto has no field of numbers for a dtype.
var ErrNoField = errors.New("a tensor proto has no numbers of this type")

func numeric(num protowire.Number) bool {
	switch num {
	case floatVal, doubleVal, intVal, scomplexVal, int64Val, boolVal, dcomplexVal, halfVal, uint32Val, uint64Val, float8Val:
		return true
	}
	return false
}

// Marshal returns t as TensorFlow's C++ writes it.
func (t TensorProto) Marshal() []byte {
	b := appendVarint(nil, 1, t.DType)
	if t.Shape != nil {
		b = appendMessage(b, 2, t.Shape.marshal())
	}
	b = appendString(b, 4, t.Content)
	for num, packed := range t.Packed {
		if num == stringVal {
			for _, s := range t.Strings {
				b = appendMessage(b, stringVal, s)
			}
		}
		b = appendString(b, protowire.Number(num), packed)
	}
	return b
}

// Unmarshal replaces t by what b holds. It may share b's memory.
func (t *TensorProto) Unmarshal(b []byte) error {
	*t = TensorProto{}
	return parse("tensor proto", b, t.visit)
}

func (t *TensorProto) visit(f field) error {
	switch {
	case f.is(1, protowire.VarintType):
		t.DType = int32(f.bits)
	case f.is(2, protowire.BytesType):
		if t.Shape == nil {
			t.Shape = new(TensorShape)
		}
		return t.Shape.merge(f.bytes)
	case f.is(4, protowire.BytesType):
		t.Content = f.bytes
	case f.is(stringVal, protowire.BytesType):
		t.Strings = append(t.Strings, f.bytes)
	case numeric(f.num):
		t.visitNumeric(f)
	}
	return nil
}

// visitNumeric collects elements: packed ones come as bytes, others one by one.
func (t *TensorProto) visitNumeric(f field) {
	have := &t.Packed[f.num]
	switch {
	case f.typ == protowire.BytesType && (len(*have) == 0 || f.num == float8Val):
		*have = f.bytes[:len(f.bytes):len(f.bytes)] // the usual case: all at once, nothing copied
	case f.typ == protowire.BytesType:
		*have = append(*have, f.bytes...)
	case f.typ != wires[f.num]:
		// Another type: an unknown field.
	case f.typ == protowire.VarintType:
		*have = protowire.AppendVarint(*have, f.bits)
	case f.typ == protowire.Fixed32Type:
		*have = protowire.AppendFixed32(*have, uint32(f.bits))
	case f.typ == protowire.Fixed64Type:
		*have = protowire.AppendFixed64(*have, f.bits)
	}
}

// Elements returns the little-endian bytes of the elements of a tensor of
// DataType dtype, whose elements have size bytes. They may share t's memory.
func (t TensorProto) Elements(dtype int32, size int) ([]byte, error) {
	num := protowire.Number(0)
	if dtype >= 0 && int(dtype) < len(valueFields) {
		num = valueFields[dtype]
	}
	if num == 0 {
		return nil, fmt.Errorf("dtype %d: %w", dtype, ErrNoField)
	}
	packed := t.Packed[num]
	if wires[num] == protowire.VarintType {
		return unpack(packed, size)
	}
	if len(packed)%size != 0 {
		return nil, fmt.Errorf("tensor proto: %d bytes are no number of elements", len(packed))
	}
	return packed, nil
}

// unpack turns varints into little-endian numbers of size bytes.
func unpack(packed []byte, size int) ([]byte, error) {
	n := 0
	for _, c := range packed {
		if c < 0x80 {
			n++ // the last byte of a varint
		}
	}
	if n > math.MaxInt/size {
		return nil, fmt.Errorf("tensor proto: %d elements of %d bytes are more than memory can be", n, size)
	}
	out := make([]byte, 0, n*size)
	for len(packed) > 0 {
		v, n := protowire.ConsumeVarint(packed)
		if n < 0 {
			return nil, fmt.Errorf("tensor proto: %w", protowire.ParseError(n))
		}
		packed = packed[n:]
		var le [8]byte
		binary.LittleEndian.PutUint64(le[:], v)
		out = append(out, le[:size]...)
	}
	return out, nil
}
