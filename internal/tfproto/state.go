package tfproto

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// CheckpointState is the content of the file "checkpoint".
// (TensorFlow: CheckpointState in checkpoint_state.proto)
type CheckpointState struct {
	ModelCheckpointPath          string
	AllModelCheckpointPaths      []string  // oldest first
	AllModelCheckpointTimestamps []float64 // Unix seconds; as many as paths, or none
	LastPreservedTimestamp       float64
}

// ParseCheckpointState reads the text format. Unknown fields are an error, as
// they are for TensorFlow.
func ParseCheckpointState(text []byte) (CheckpointState, error) {
	descriptor, err := stateDescriptor()
	if err != nil {
		return CheckpointState{}, err
	}
	m := dynamicpb.NewMessage(descriptor)
	if err := prototext.Unmarshal(text, m); err != nil {
		// prototext sprinkles its messages with no-break spaces on purpose.
		return CheckpointState{}, fmt.Errorf("checkpoint state: %s", strings.ReplaceAll(err.Error(), "\u00a0", " "))
	}
	get := func(number protoreflect.FieldNumber) protoreflect.Value {
		return m.Get(descriptor.Fields().ByNumber(number))
	}
	s := CheckpointState{ModelCheckpointPath: get(1).String(), LastPreservedTimestamp: get(4).Float()}
	for paths, i := get(2).List(), 0; i < paths.Len(); i++ {
		s.AllModelCheckpointPaths = append(s.AllModelCheckpointPaths, paths.Get(i).String())
	}
	for times, i := get(3).List(), 0; i < times.Len(); i++ {
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, times.Get(i).Float())
	}
	return s, nil
}

// stateDescriptor describes the message; it stays out of the global registry.
func stateDescriptor() (protoreflect.MessageDescriptor, error) {
	type (
		kind  = descriptorpb.FieldDescriptorProto_Type
		label = descriptorpb.FieldDescriptorProto_Label
	)
	const (
		text, double  = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
		one, repeated = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	)
	field := func(number int32, name string, k kind, l label) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{Number: &number, Name: &name, Type: &k, Label: &l}
	}
	str := func(s string) *string { return &s }
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: str("checkpoint_state.proto"), Package: str("tensorflow"), Syntax: str("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: str("CheckpointState"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field(1, "model_checkpoint_path", text, one),
				field(2, "all_model_checkpoint_paths", text, repeated),
				field(3, "all_model_checkpoint_timestamps", double, repeated),
				field(4, "last_preserved_timestamp", double, one),
			},
		}},
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("checkpoint state: %w", err)
	}
	return file.Messages().Get(0), nil
}

// MarshalText returns the bytes that TensorFlow's Python writes
// (text_format.MessageToString).
func (s CheckpointState) MarshalText() ([]byte, error) {
	const line = 60 // of a path it is 30 and the path
	size := len(s.ModelCheckpointPath) + line*(2+len(s.AllModelCheckpointPaths)+len(s.AllModelCheckpointTimestamps))
	for _, p := range s.AllModelCheckpointPaths {
		size += len(p)
	}
	b := make([]byte, 0, size)
	if s.ModelCheckpointPath != "" {
		b = appendQuoted(append(b, "model_checkpoint_path: "...), s.ModelCheckpointPath)
	}
	for _, p := range s.AllModelCheckpointPaths {
		b = appendQuoted(append(b, "all_model_checkpoint_paths: "...), p)
	}
	for _, t := range s.AllModelCheckpointTimestamps {
		b = appendRepr(append(b, "all_model_checkpoint_timestamps: "...), t)
	}
	if math.Float64bits(s.LastPreservedTimestamp) != 0 {
		b = appendRepr(append(b, "last_preserved_timestamp: "...), s.LastPreservedTimestamp)
	}
	return b, nil
}

// appendQuoted ends a line with what Python's text_format makes of a string: C
// escapes and octal codes for ASCII, other characters as they are.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '"' || c == '\'' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\%03o`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"', '\n')
}

// appendRepr ends a line with what Python's repr makes of a number. It is called
// for every checkpoint that is kept, by every save.
func appendRepr(b []byte, f float64) []byte {
	if a := math.Abs(f); a >= 1e-4 && a < 1e16 {
		from := len(b)
		if b = strconv.AppendFloat(b, f, 'f', -1, 64); bytes.IndexByte(b[from:], '.') < 0 {
			b = append(b, ".0"...)
		}
		return append(b, '\n')
	}
	return append(append(b, repr(f)...), '\n')
}

// repr prints a float as Python's repr does: the shortest digits that read
// back equal, with an exponent below 1e-4 and from 1e16 on.
func repr(f float64) string {
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'f', -1, 64), "+"))
	case a != 0 && (a < 1e-4 || a >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
