// Package tfevents reads and writes TensorBoard's event files: a record for
// each event, with its length and checksums, and in it a protocol message.
// What training writes there are scalars by tag and step.
//
// Events are written as TensorFlow 2's tf.summary writes them, byte for byte,
// and read as any version of TensorFlow wrote them.
package tfevents

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ckpt-dev/ckpt/tensor"
)

// FileVersion is what the first event of a file says of itself. (TensorFlow:
// EventsWriter::kVersionPrefix and kCurrentVersion, util/events_writer.h)
const FileVersion = "brain.Event:2"

// Plugins of TensorBoard that show what Scalar and Text make.
const (
	PluginScalars = "scalars"
	PluginText    = "text"
)

// Event is one record of an event file. Only the first of a file has
// FileVersion and Writer. (TensorFlow: Event)
type Event struct {
	// Time is kept to the microsecond. Zero: none that a time.Time can be.
	Time        time.Time
	Step        int64
	FileVersion string
	Writer      string // which program wrote the file
	Values      []Value
}

// Value is what an event says of one tag. (TensorFlow: Summary.Value)
type Value struct {
	Tag         string
	Plugin      string // of TensorBoard, that shows it: PluginScalars
	DisplayName string
	Description string // in Markdown
	// Tensor is the value; its dtype is tensor.Invalid where there is none
	// that this package knows, as with TensorFlow 1's images.
	Tensor tensor.Tensor
	// Simple tells that the value is a scalar as TensorFlow 1 wrote them.
	Simple bool
}

// Scalar returns the value that TensorBoard draws as a point of the curve tag.
// It is kept as a float32. (TensorFlow: tf.summary.scalar)
func Scalar(tag string, v float64) Value {
	// A scalar of one element is always a tensor.
	t, _ := tensor.New(nil, []float32{float32(v)})
	return Value{Tag: tag, Plugin: PluginScalars, Tensor: t}
}

// Text returns the value that TensorBoard shows as Markdown.
// (TensorFlow: tf.summary.text)
func Text(tag, markdown string) Value {
	t, _ := tensor.FromStrings(nil, []string{markdown})
	return Value{Tag: tag, Plugin: PluginText, Tensor: t}
}

// Scalar returns the number that v is, if it is one.
func (v Value) Scalar() (float64, bool) {
	if v.Tensor.NumElements() != 1 || len(v.Tensor.Shape()) != 0 {
		return 0, false
	}
	switch v.Tensor.DType() {
	case tensor.Float32: // whose shortest text is another float64
		elems, err := tensor.Elements[float32](v.Tensor)
		if err != nil {
			return 0, false
		}
		return float64(elems[0]), true
	case tensor.String, tensor.Variant:
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Tensor.Format(0), 64)
	return f, err == nil
}

// Text returns the text that v is, if it is one.
func (v Value) Text() (string, bool) {
	if v.Tensor.DType() != tensor.String || len(v.Tensor.Shape()) != 0 {
		return "", false
	}
	elems, err := v.Tensor.Strings()
	if err != nil || len(elems) != 1 {
		return "", false
	}
	return elems[0], true
}

// Filename returns the name of the event file that host begins at start.
// TensorBoard knows event files by the "tfevents" in it, and reads those of a
// directory in the order of their names. (TensorFlow: EventsWriter::InitIfNeeded)
func Filename(start time.Time, host string) string {
	return fmt.Sprintf("events.out.tfevents.%010d.%s", start.Unix(), host)
}

// wallTime returns t as the file has it: seconds since 1970.
func wallTime(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

// maxSeconds is the end of the year 9999, which time.Time prints and JSON has.
const maxSeconds = 253402300799

// timeOf is wallTime's inverse.
func timeOf(seconds float64) time.Time {
	if !(seconds > 0 && seconds <= maxSeconds) { // not a number, too
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6)))
}
