package tfevents_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/tensor"
)

// file returns an event file that interop/py/events.py made with TensorFlow:
// tf1 by write_events_v1, tf2 by write_events.
func file(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".tfevents")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readAll(data []byte) (events []tfevents.Event, err error) {
	for e, err := range tfevents.Read(bytes.NewReader(data)) {
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}

func mustRead(t testing.TB, data []byte) []tfevents.Event {
	t.Helper()
	events, err := readAll(data)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// lines describes events, a line for each value.
func lines(events []tfevents.Event) string {
	var b strings.Builder
	for _, e := range events {
		if e.FileVersion != "" {
			fmt.Fprintf(&b, "%s %s\n", e.FileVersion, e.Writer)
		}
		for _, v := range e.Values {
			fmt.Fprintf(&b, "%d %s [%s] %v%v", e.Step, v.Tag, v.Plugin, v.Tensor.DType(), v.Tensor.Shape())
			if f, ok := v.Scalar(); ok {
				fmt.Fprintf(&b, " %v", f)
			}
			if s, ok := v.Text(); ok {
				fmt.Fprintf(&b, " %q", s)
			}
			if v.Description != "" {
				fmt.Fprintf(&b, " (%s)", v.Description)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func TestReadsWhatTensorFlow2Wrote(t *testing.T) {
	events := mustRead(t, file(t, "tf2"))
	want := `brain.Event:2 tensorflow.core.util.events_writer
0 loss [scalars] float32[] 0.5
1 loss [scalars] float32[] 0.25
-3 not a number [scalars] float32[] NaN
5 zero [scalars] float32[] 0
5 described [scalars] float32[] 7 (*what*)
4611686018427387904 große/Zahl [scalars] float32[] 3.0000000054977558e+38
2 text [text] string[] "hello **world**"
2 texts [text] string[2]
2 empty [text] string[] ""
3 histogram [histograms] float64[30,3]
3 image [images] string[3]
4 half [] float16[2]
`
	if got := lines(events); got != want {
		t.Errorf("events:\n%swant:\n%s", got, want)
	}
	if got, want := events[1].Time, time.UnixMicro(1795339564669084); !got.Equal(want) {
		t.Errorf("time of the first scalar is %v, want %v", got, want)
	}
}

func TestReadsWhatTensorFlow1Wrote(t *testing.T) {
	want := `brain.Event:2 tensorflow.core.util.events_writer
0 loss [] float32[] 0
0 acc [] float32[] 0
1 loss [] float32[] 1.5
1 acc [] float32[] 1
2 loss [] float32[] 3
2 acc [] float32[] 2
3 histogram [] invalid[]
`
	if got := lines(mustRead(t, file(t, "tf1"))); got != want {
		t.Errorf("events:\n%swant:\n%s", got, want)
	}
}

func TestEventsAreWrittenAsTensorFlowWritesThem(t *testing.T) {
	want := file(t, "tf2")
	var got bytes.Buffer
	for i, e := range mustRead(t, want) {
		record, err := tfevents.Append(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(record)
		if !bytes.HasPrefix(want, got.Bytes()) {
			t.Fatalf("event %d: written as %x", i, record)
		}
	}
	if got.Len() != len(want) {
		t.Errorf("%d bytes, want %d", got.Len(), len(want))
	}
}

func TestScalarsAndTextsAreTensorFlows(t *testing.T) {
	events := mustRead(t, file(t, "tf2"))
	for i, v := range map[int]tfevents.Value{1: tfevents.Scalar("loss", 0.5), 7: tfevents.Text("text", "hello **world**")} {
		want, err := tfevents.Append(nil, events[i])
		if err != nil {
			t.Fatal(err)
		}
		e := tfevents.Event{Time: events[i].Time, Step: events[i].Step, Values: []tfevents.Value{v}}
		if got, err := tfevents.Append(nil, e); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: Append = %x, %v, want %x", v.Tag, got, err, want)
		}
	}
}

func TestSimpleValuesComeBack(t *testing.T) {
	v := tfevents.Scalar("loss", 1.5)
	v.Simple, v.Plugin = true, ""
	record, err := tfevents.Append(nil, tfevents.Event{Step: 7, Values: []tfevents.Value{v}})
	if err != nil {
		t.Fatal(err)
	}
	got := mustRead(t, record)[0]
	if f, ok := got.Values[0].Scalar(); !ok || f != 1.5 || !got.Values[0].Simple || got.Step != 7 || !got.Time.IsZero() {
		t.Errorf("read back: %+v", got)
	}
	text := tfevents.Text("t", "x")
	text.Simple = true
	if _, err := tfevents.Append(nil, tfevents.Event{Values: []tfevents.Value{text}}); err == nil {
		t.Error("a text was written as a simple value")
	}
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	good := file(t, "tf2")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, err := readAll(bad); !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("byte %d flipped: error is %v", i, err)
		}
	}
}

func TestAnErrorSaysWhichRecord(t *testing.T) {
	good := file(t, "tf2")
	second := 16 + int(binary.LittleEndian.Uint64(good))
	bad := bytes.Clone(good)
	bad[second+20] ^= 1
	want := fmt.Sprintf("record at byte %d ", second)
	if _, err := readAll(bad); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error is %v, want one that begins with %q", err, want)
	}
	want = fmt.Sprintf("record at byte %d: unexpected EOF", second)
	if _, err := readAll(good[:second+20]); err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestAFileThatIsBeingWrittenEndsInAnUnexpectedEOF(t *testing.T) {
	good := file(t, "tf1")
	ends := map[int]int{0: 0} // where records end, and how many they are
	for rest, n := good, 0; len(rest) > 0; {
		rest = rest[16+binary.LittleEndian.Uint64(rest):]
		n++
		ends[len(good)-len(rest)] = n
	}
	have := 0
	for n := range good {
		events, err := readAll(good[:n])
		if whole, ok := ends[n]; ok {
			have = whole
			if err != nil {
				t.Errorf("%d bytes, %d records: %v", n, whole, err)
			}
		} else if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: error is %v, want %v", n, err, io.ErrUnexpectedEOF)
		}
		if len(events) != have {
			t.Errorf("%d bytes: %d events, want %d", n, len(events), have)
		}
	}
}

func TestAnErrorOfThePlaceIsPassedOn(t *testing.T) {
	for _, n := range []int64{0, 5, 20, 78} {
		broken := errors.New("disk gone")
		r := io.MultiReader(io.LimitReader(bytes.NewReader(file(t, "tf2")), n), iotest.ErrReader(broken))
		var err error
		for _, err = range tfevents.Read(r) {
		}
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: error is %v, want %v", n, err, broken)
		}
	}
}

func TestReadStopsWhenItIsToldTo(t *testing.T) {
	n := 0
	for _, err := range tfevents.Read(bytes.NewReader(file(t, "tf2"))) {
		if n++; n == 3 || err != nil {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}

// frame returns the record of data.
func frame(data []byte) []byte {
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b := binary.LittleEndian.AppendUint32(length, crc32c.Mask(crc32c.Update(0, length)))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, crc32c.Mask(crc32c.Update(0, data)))
}

func TestALengthIsNotBelieved(t *testing.T) {
	for _, length := range []uint64{1 << 20, 1 << 40, 1 << 62, 1<<63 - 1, math.MaxUint64} {
		head := binary.LittleEndian.AppendUint64(nil, length)
		head = binary.LittleEndian.AppendUint32(head, crc32c.Mask(crc32c.Update(0, head)))
		var err error
		used := allocated(func() { _, err = readAll(append(head, "short"...)) })
		if err == nil || used > 1<<20 {
			t.Errorf("record of %d bytes: error is %v, %d bytes were allocated", length, err, used)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func value(tensorProto string) []byte {
	v := "\x0a\x01x\x42" + string(rune(len(tensorProto))) + tensorProto
	s := "\x0a" + string(rune(len(v))) + v
	return []byte("\x2a" + string(rune(len(s))) + s)
}

func TestTensorsOfAllForms(t *testing.T) {
	for _, c := range []struct{ name, proto, want string }{
		{"float_val", "\x08\x01\x12\x00\x2d\x00\x00\x80\x3f", "float32[] 1"},
		{"double_val", "\x08\x02\x12\x00\x31\x00\x00\x00\x00\x00\x00\xf0\x3f", "float64[] 1"},
		{"int64_val", "\x08\x09\x12\x00\x50\x07", "int64[] 7"},
		{"no shape", "\x08\x09\x50\x07", "int64[] 7"},
		{"bool", "\x08\x0a\x12\x00\x58\x01", "bool[]"},
		{"no element is zero", "\x08\x01\x12\x00", "float32[] 0"},
		{"one element for three", "\x08\x03\x12\x04\x12\x02\x08\x03\x38\x05", "int32[3]"},
		{"one string for three", "\x08\x07\x12\x04\x12\x02\x08\x03\x42\x01a", "string[3]"},
		{"a resource", "\x08\x14\x12\x00", "invalid[]"},
		{"a dtype of tomorrow", "\x08\x63\x12\x00", "invalid[]"},
	} {
		got := lines(mustRead(t, frame(value(c.proto))))
		if want := "0 x [] " + c.want + "\n"; got != want {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
	// A tensor in two parts is the two merged: dtype and value.
	halves := []byte("\x2a\x0e\x0a\x0c\x0a\x01x\x42\x02\x08\x03\x42\x02\x38\x07x")
	halves = halves[:len(halves)-1]
	halves[1], halves[3] = byte(len(halves)-2), byte(len(halves)-4)
	if got := lines(mustRead(t, frame(halves))); got != "0 x [] int32[] 7\n" {
		t.Errorf("a tensor in two parts: %q, want int32[] 7", got)
	}
	e := mustRead(t, frame(value("\x08\x03\x12\x04\x12\x02\x08\x03\x38\x05\x38\x06")))
	if got, err := tensor.Elements[int32](e[0].Values[0].Tensor); err != nil || !slices.Equal(got, []int32{5, 6, 6}) {
		t.Errorf("two elements for three: %v, %v, want [5 6 6]", got, err)
	}
}

func TestHostileEvents(t *testing.T) {
	huge := "\x08\x02\x12\x06\x12\x04\x08\xff\xff\x03" // 65535 doubles of nothing
	one := value(huge)[2:]
	many := slices.Concat(make([][]byte, 0), slices.Repeat([][]byte{one}, 1000))
	summary := slices.Concat(many...)
	head := binary.AppendUvarint([]byte{0x2a}, uint64(len(summary)))
	empty := slices.Repeat([]byte{0x0a, 0}, 1<<20)
	for name, data := range map[string][]byte{
		"not a message":               {0xff},
		"repetitions without end":     append(head, summary...),
		"more elements than shape":    value("\x08\x01\x12\x00\x2a\x08\x00\x00\x00\x00\x00\x00\x00\x00"),
		"content that does not fit":   value("\x08\x01\x12\x00\x22\x03abc"),
		"a negative dimension":        value("\x08\x01\x12\x0d\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"an enormous shape":           value("\x08\x01\x12\x0b\x12\x09\x08\xff\xff\xff\xff\xff\xff\xff\x7f"),
		"a cut element":               value("\x08\x01\x12\x00\x2a\x03abc"),
		"strings, fewer than claimed": value("\x08\x07\x12\x07\x12\x05\x08\xff\xff\xff\x7f"),
		"values without end":          append(binary.AppendUvarint([]byte{0x2a}, uint64(len(empty))), empty...),
	} {
		var err error
		used := allocated(func() { _, err = readAll(frame(data)) })
		if !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%s: error is %v, want one that wraps %v", name, err, format.ErrCorrupt)
		}
		if used > 64<<20 {
			t.Errorf("%s: %d MiB were allocated", name, used>>20)
		}
	}
}

func TestTimesThatAreNoneAreZero(t *testing.T) {
	for _, seconds := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e300, 253402300800} {
		data := binary.LittleEndian.AppendUint64([]byte{9}, math.Float64bits(seconds))
		if got := mustRead(t, frame(data))[0].Time; !got.IsZero() {
			t.Errorf("wall time %v is %v, want none", seconds, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(f, "tf1"))
	f.Add(file(f, "tf2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, in := range [][]byte{data, frame(data)} {
			events, _ := readAll(in)
			for _, e := range events {
				again, err := tfevents.Append(nil, e)
				if err != nil {
					t.Fatalf("Append(%+v): %v", e, err)
				}
				if got := mustRead(t, again); lines(got) != lines([]tfevents.Event{e}) {
					t.Fatalf("%s came back as %s", lines([]tfevents.Event{e}), lines(got))
				}
			}
		}
	})
}
