package tfevents

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// sourceWriter is what TensorFlow writes "tensorflow.core.util.events_writer"
// for; TensorBoard logs it.
const sourceWriter = "github.com/ckpt-dev/ckpt/format/tfevents"

// Writer writes an event file. (TensorFlow: EventsWriter)
type Writer struct{ w io.Writer }

// NewWriter begins an event file in w. The file says that it was begun at
// start. Each event is one Write of w.
func NewWriter(w io.Writer, start time.Time) (*Writer, error) {
	events := &Writer{w}
	return events, events.Write(Begin(start))
}

// Begin returns the first event of a file that was begun at start, to the
// second (EventsWriter::InitIfNeeded).
func Begin(start time.Time) Event {
	return Event{Time: start.Truncate(time.Second), FileVersion: FileVersion, Writer: sourceWriter}
}

// Write appends e.
func (w *Writer) Write(e Event) error {
	record, err := Append(nil, e)
	if err != nil {
		return err
	}
	_, err = w.w.Write(record)
	return err
}

// Append appends the record of e to b: length, checksum of the length, event,
// checksum of the event (TensorFlow: RecordWriter). It fails only for a tensor
// that event files cannot hold.
func Append(b []byte, e Event) ([]byte, error) {
	m := tfproto.Event{WallTime: wallTime(e.Time), Step: e.Step, FileVersion: e.FileVersion, Writer: e.Writer}
	for _, v := range e.Values {
		p, err := v.proto()
		if err != nil {
			return b, fmt.Errorf("event: %s: %w", v.Tag, err)
		}
		m.Values = append(m.Values, p)
	}
	data := m.Marshal()
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(data)))
	b = append(b, length[:]...)
	b = binary.LittleEndian.AppendUint32(b, crc32c.Mask(crc32c.Update(0, length[:])))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, crc32c.Mask(crc32c.Update(0, data))), nil
}

func (v Value) proto() (tfproto.SummaryValue, error) {
	p := tfproto.SummaryValue{Tag: v.Tag, Plugin: v.Plugin, DisplayName: v.DisplayName, Description: v.Description}
	if v.Tensor.DType() == tensor.Invalid {
		return p, nil
	}
	if v.Simple {
		f, ok := v.Scalar()
		if !ok {
			return p, fmt.Errorf("a simple value is one number, not %v of shape %v", v.Tensor.DType(), v.Tensor.Shape())
		}
		simple := float32(f)
		p.Simple = &simple
		return p, nil
	}
	t := tfproto.TensorProto{DType: int32(v.Tensor.DType()), Shape: &tfproto.TensorShape{Dims: v.Tensor.Shape()}}
	switch v.Tensor.DType() {
	case tensor.Variant:
		return p, fmt.Errorf("a tensor of %v has no place in an event", v.Tensor.DType())
	case tensor.String:
		elems, err := v.Tensor.Strings()
		if err != nil {
			return p, err
		}
		for _, s := range elems {
			t.Strings = append(t.Strings, []byte(s))
		}
	default:
		t.Content = v.Tensor.Bytes()
	}
	p.Tensor = t.Marshal()
	return p, nil
}
