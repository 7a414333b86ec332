//go:build interop

package interop

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/format/tfevents"
)

// loaded is an event as TensorBoard's loader gives it.
type loaded struct {
	Time    string
	Step    int64
	Version string
	Values  []struct{ Tag, Plugin, Description, DType, Scalar, Text string }
}

func readEvents(t *testing.T, path string) []tfevents.Event {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []tfevents.Event
	for e, err := range tfevents.Read(bytes.NewReader(data)) {
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		events = append(events, e)
	}
	return events
}

// What tf.summary writes is what we write of the same events, byte for byte.
func TestEventFilesAreTensorFlowsByteForByte(t *testing.T) {
	path := must[string](t, "write_events", map[string]any{"directory": t.TempDir()})
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, e := range readEvents(t, path) {
		if got, err = tfevents.Append(got, e); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes differ from TensorFlow's %d:\n%x\n%x", len(got), len(want), got, want)
	}
}

// Both readers read the same of what TensorFlow 1 and 2 wrote.
func TestEventsReadAsTensorBoardReadsThem(t *testing.T) {
	for _, writer := range []string{"write_events", "write_events_v1"} {
		path := must[string](t, writer, map[string]any{"directory": t.TempDir()})
		compareLoaded(t, writer, readEvents(t, path), must[[]loaded](t, "read_events", map[string]any{"path": path}))
	}
}

// compareLoaded compares the scalars and texts of one file.
func compareLoaded(t *testing.T, what string, got []tfevents.Event, want []loaded) {
	t.Helper()
	// Of TensorFlow 1's graphs and session logs we have empty events, and
	// TensorBoard's loader has values for them.
	type point struct {
		time, tag, scalar, text string
		step                    int64
	}
	ours, theirs := map[point]int{}, map[point]int{}
	for _, e := range got {
		for _, v := range e.Values {
			p := point{time: seconds(e.Time), tag: v.Tag, step: e.Step}
			if f, ok := v.Scalar(); ok {
				p.scalar = number(f)
			} else if s, ok := v.Text(); ok {
				p.text = s
			} else {
				continue
			}
			ours[p]++
		}
	}
	for _, e := range want {
		for _, v := range e.Values {
			if v.Scalar != "" || v.Plugin == tfevents.PluginText && v.Text != "" || v.Tag == "empty" {
				theirs[point{parsed(t, e.Time), v.Tag, v.Scalar, v.Text, e.Step}]++
			}
		}
	}
	if len(ours) == 0 {
		t.Errorf("%s: no scalars", what)
	}
	for p := range theirs {
		if ours[p] != theirs[p] {
			t.Errorf("%s: TensorBoard has %+v, we have not", what, p)
		}
	}
	for p := range ours {
		if ours[p] != theirs[p] {
			t.Errorf("%s: we have %+v, TensorBoard has not", what, p)
		}
	}
}

// number is Python's repr of a float, brought to one form by both sides.
func number(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if f == math.Trunc(f) && math.Abs(f) < 1e16 {
		return s + ".0"
	}
	if a := math.Abs(f); a >= 1e16 || a < 1e-4 {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	return s
}

// seconds is a time as both sides are compared: to the microsecond.
func seconds(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

func parsed(t *testing.T, repr string) string {
	t.Helper()
	f, err := strconv.ParseFloat(repr, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatInt(int64(math.Round(f*1e6)), 10)
}

// TensorBoard's loader reads what the plain writer makes.
func TestTensorBoardReadsOurEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), tfevents.Filename(time.Now(), "host"))
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tfevents.NewWriter(f, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := random(t)
	for step := range 500 {
		value := []float64{r.NormFloat64(), math.Inf(1), math.NaN(), 0, r.Float64() * 1e300, -r.Float64() * 1e-300}[r.IntN(6)]
		e := tfevents.Event{Time: time.UnixMicro(r.Int64N(4e15)), Step: int64(step), Values: []tfevents.Value{
			tfevents.Scalar("a/größe", value), tfevents.Text("text", "*x*"),
		}}
		if err := w.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	compareLoaded(t, "ours", readEvents(t, path), must[[]loaded](t, "read_events", map[string]any{"path": path}))
}
