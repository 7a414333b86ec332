package tfproto

import (
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Event is one record of an event file, as far as checkpoints and training
// write it: graphs, logs and session states are passed over.
// (TensorFlow: Event, core/util/event.proto)
type Event struct {
	WallTime    float64 // seconds since 1970
	Step        int64
	FileVersion string // of the first event of a file
	Writer      string // source_metadata.writer, of the first event of a file
	Values      []SummaryValue
}

// SummaryValue is one value of an event. Tensor holds the bytes of a
// TensorProto, which is large and mostly read once.
// (TensorFlow: Summary.Value, core/framework/summary.proto)
type SummaryValue struct {
	Tag         string
	Simple      *float32 // simple_value, as TensorFlow 1 wrote scalars
	Tensor      []byte   // nil: none
	Plugin      string   // metadata.plugin_data.plugin_name
	DisplayName string
	Description string // metadata.summary_description, in Markdown
}

// maxValues bounds the values of one event: an empty one takes two bytes of a
// file and a hundred of memory. Programs write a few.
const maxValues = 1 << 16

var errManyValues = errors.New("more than 65536 values")

// Marshal returns e as TensorFlow's C++ writes it.
func (e Event) Marshal() []byte {
	var b []byte
	if bits := math.Float64bits(e.WallTime); bits != 0 {
		b = protowire.AppendTag(b, 1, protowire.Fixed64Type)
		b = protowire.AppendFixed64(b, bits)
	}
	b = appendVarint(b, 2, e.Step)
	b = appendString(b, 3, e.FileVersion)
	if len(e.Values) > 0 {
		var summary []byte
		for _, v := range e.Values {
			summary = appendMessage(summary, 1, v.marshal())
		}
		b = appendMessage(b, 5, summary)
	}
	if e.Writer != "" {
		b = appendMessage(b, 10, appendString(nil, 1, e.Writer))
	}
	return b
}

func (v SummaryValue) marshal() []byte {
	b := appendString(nil, 1, v.Tag)
	if v.Simple != nil {
		b = protowire.AppendTag(b, 2, protowire.Fixed32Type)
		b = protowire.AppendFixed32(b, math.Float32bits(*v.Simple))
	}
	if v.Tensor != nil {
		b = appendMessage(b, 8, v.Tensor)
	}
	if v.Plugin == "" && v.DisplayName == "" && v.Description == "" {
		return b
	}
	var metadata []byte
	if v.Plugin != "" {
		metadata = appendMessage(nil, 1, appendString(nil, 1, v.Plugin))
	}
	metadata = appendString(metadata, 2, v.DisplayName)
	metadata = appendString(metadata, 3, v.Description)
	return appendMessage(b, 9, metadata)
}

// Unmarshal replaces e by what b holds. It shares b's memory.
func (e *Event) Unmarshal(b []byte) error {
	*e = Event{}
	return parse("event", b, func(f field) error {
		switch {
		case f.is(1, protowire.Fixed64Type):
			e.WallTime = math.Float64frombits(f.bits)
		case f.is(2, protowire.VarintType):
			e.Step = int64(f.bits)
		case f.is(3, protowire.BytesType):
			e.FileVersion = string(f.bytes)
		case f.is(5, protowire.BytesType):
			return e.mergeSummary(f.bytes)
		case f.is(10, protowire.BytesType):
			return walk(f.bytes, func(f field) error {
				if f.is(1, protowire.BytesType) {
					e.Writer = string(f.bytes)
				}
				return nil
			})
		}
		return nil
	})
}

func (e *Event) mergeSummary(b []byte) error {
	return walk(b, func(f field) error {
		if !f.is(1, protowire.BytesType) {
			return nil
		}
		if len(e.Values) == maxValues {
			return errManyValues
		}
		var v SummaryValue
		if err := walk(f.bytes, v.visit); err != nil {
			return err
		}
		e.Values = append(e.Values, v)
		return nil
	})
}

func (v *SummaryValue) visit(f field) error {
	switch {
	case f.is(1, protowire.BytesType):
		v.Tag = string(f.bytes)
	case f.is(2, protowire.Fixed32Type):
		simple := math.Float32frombits(uint32(f.bits))
		v.Simple = &simple
	case f.is(8, protowire.BytesType):
		v.mergeTensor(f.bytes)
	case f.is(9, protowire.BytesType):
		return walk(f.bytes, v.visitMetadata)
	}
	return nil
}

// mergeTensor joins the bytes of a tensor that comes in two: that is how
// protobuf merges messages.
func (v *SummaryValue) mergeTensor(b []byte) {
	if v.Tensor == nil {
		v.Tensor = b[:len(b):len(b)]
		return
	}
	v.Tensor = append(v.Tensor, b...)
}

func (v *SummaryValue) visitMetadata(f field) error {
	switch {
	case f.is(1, protowire.BytesType):
		return walk(f.bytes, func(f field) error {
			if f.is(1, protowire.BytesType) {
				v.Plugin = string(f.bytes)
			}
			return nil
		})
	case f.is(2, protowire.BytesType):
		v.DisplayName = string(f.bytes)
	case f.is(3, protowire.BytesType):
		v.Description = string(f.bytes)
	}
	return nil
}
