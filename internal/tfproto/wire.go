// Package tfproto holds the few protocol messages that TensorFlow's
// checkpoints are made of. Marshal gives the bytes that TensorFlow's C++ and
// Python write: fields in number order, zero scalars left out. Unmarshal
// accepts what protobuf accepts: any order, unknown fields, packed or not.
//
// The messages stand on protowire instead of generated code, because generated
// code registers its names globally, and two programs' worth of TensorFlow
// messages in one process panic at start.
package tfproto

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message as it stands in the bytes.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	bits  uint64 // of a varint or a fixed number
	bytes []byte // of a length-delimited field; shares the message's memory
}

// is reports whether f is field num with that type. Protobuf takes a known
// number with another type for an unknown field.
func (f field) is(num protowire.Number, typ protowire.Type) bool { return f.num == num && f.typ == typ }

// walk calls visit for each field of the message b. Memory grows only with
// what visit keeps.
func walk(b []byte, visit func(field) error) error {
	for len(b) > 0 {
		f, n := consume(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := visit(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// consume takes a field off the front of b; n is its length, or negative.
func consume(b []byte) (f field, n int) {
	num, typ, tag := protowire.ConsumeTag(b)
	if tag < 0 {
		return f, tag
	}
	f.num, f.typ = num, typ
	switch typ {
	case protowire.VarintType:
		f.bits, n = protowire.ConsumeVarint(b[tag:])
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(b[tag:])
		f.bits = uint64(v)
	case protowire.Fixed64Type:
		f.bits, n = protowire.ConsumeFixed64(b[tag:])
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(b[tag:])
	default: // a group, which no message here has
		n = protowire.ConsumeFieldValue(num, typ, b[tag:])
	}
	if n < 0 {
		return f, n
	}
	return f, tag + n
}

// parse walks b and says which message did not parse.
func parse(message string, b []byte, visit func(field) error) error {
	if err := walk(b, visit); err != nil {
		return fmt.Errorf("%s: %w", message, err)
	}
	return nil
}

// appendVarint appends an integer field, unless it is zero.
func appendVarint[I int32 | int64](b []byte, num protowire.Number, v I) []byte {
	if v == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(int64(v)))
}

// appendString appends a string or bytes field, unless it is empty.
func appendString[S string | []byte](b []byte, num protowire.Number, s S) []byte {
	if len(s) == 0 {
		return b
	}
	return appendMessage(b, num, s)
}

// appendMessage appends a message, or an element of a repeated field, which
// is there even when empty.
func appendMessage[S string | []byte](b []byte, num protowire.Number, m S) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(m)))
	return append(b, m...)
}
