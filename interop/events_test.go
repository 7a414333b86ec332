//go:build interop

package interop

import (
	"bytes"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/summary"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
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

// point is one of a tag's points as TensorBoard has it.
type point struct {
	Plugin, Time, Value string
	Step                int64
}

// summaryOf writes random curves and returns them as TensorBoard shall see
// them. Each second flush may begin another file.
func summaryOf(t *testing.T, dir storage.Dir) map[string][]point {
	t.Helper()
	var now time.Time
	w, err := summary.CreateFileWriter(t.Context(), dir, &summary.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	r := random(t)
	want := map[string][]point{}
	now = time.UnixMicro(1700000000123456)
	for step := range int64(200) {
		now = now.Add(time.Duration(r.Int64N(1e6)) * time.Microsecond)
		loss := r.NormFloat64()
		if err := w.Scalar("loss", step, loss); err != nil {
			t.Fatal(err)
		}
		want["loss"] = append(want["loss"], point{tfevents.PluginScalars, seconds(now), number(float64(float32(loss))), step})
		if step%10 == 0 {
			if err := w.Text("notes/größe", step, "*x*"); err != nil {
				t.Fatal(err)
			}
			want["notes/größe"] = append(want["notes/größe"], point{tfevents.PluginText, seconds(now), "*x*", step})
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return want
}

// unappendable hides that the files of a directory can grow.
type unappendable struct{ storage.Dir }

func TestTensorBoardReadsOurSummaries(t *testing.T) {
	for name, hide := range map[string]bool{"one file that grew": false, "many files": true} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := local.Dir(root)
			if hide {
				dir = unappendable{dir}
			}
			want := summaryOf(t, dir)
			got := must[map[string][]point](t, "accumulate", map[string]any{"directory": root})
			for tag := range got {
				for i := range got[tag] {
					got[tag][i].Time = parsed(t, got[tag][i].Time)
				}
			}
			if !maps.EqualFunc(got, want, slices.Equal) {
				t.Errorf("TensorBoard has %v, want %v", got, want)
			}
		})
	}
}

// The server's own answer to its scalars page.
func TestTensorBoardServesOurScalars(t *testing.T) {
	root := t.TempDir()
	want := summaryOf(t, local.Dir(root))["loss"]
	got := must[[][3]float64](t, "tensorboard", map[string]any{"directory": root, "tag": "loss"})
	if len(got) != len(want) {
		t.Fatalf("TensorBoard serves %d points, want %d", len(got), len(want))
	}
	for i, p := range got {
		micros := strconv.FormatInt(int64(math.Round(p[0]*1e6)), 10)
		if micros != want[i].Time || int64(p[1]) != want[i].Step || number(p[2]) != want[i].Value {
			t.Errorf("point %d is %v, want %v", i, p, want[i])
		}
	}
}

// What saves cost is drawn by TensorBoard, beside the curves of training.
func TestTensorBoardReadsWhatSavesCost(t *testing.T) {
	root := t.TempDir()
	dir := local.Dir(root)
	w, err := summary.CreateFileWriter(t.Context(), local.Dir(filepath.Join(root, "logs")), nil)
	if err != nil {
		t.Fatal(err)
	}
	v := trackable.NewVariable("v", tensor.Shape{1000}, make([]float32, 1000))
	c := checkpoint.New(nil, checkpoint.Objects{"v": v}, nil)
	m, err := checkpoint.NewManager(t.Context(), c, dir, &checkpoint.ManagerOptions{Hooks: summary.Checkpoints(w, dir, nil)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(3) {
		step := 100 * (i + 1)
		if _, err := m.Save(t.Context(), &checkpoint.SaveOptions{Step: &step, Metrics: map[string]float64{"loss": 1 / float64(step)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The writer is not closed: TensorBoard sees what has been saved so far.
	got := must[map[string][]point](t, "accumulate", map[string]any{"directory": filepath.Join(root, "logs")})
	for _, tag := range []string{summary.SaveSeconds, summary.SaveBytes, summary.DiskBytes, summary.MetricPrefix + "loss"} {
		if len(got[tag]) != 3 || got[tag][0].Step != 100 || got[tag][2].Step != 300 {
			t.Errorf("TensorBoard has %v of %s, want points at 100, 200 and 300", got[tag], tag)
		}
	}
	if p := got[summary.MetricPrefix+"loss"]; len(p) == 3 && p[2].Value != number(float64(float32(1)/300)) {
		t.Errorf("TensorBoard's last loss is %s, want %s", p[2].Value, number(float64(float32(1)/300)))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// What follows a file that was torn is read too: a full disk or a kill costs
// no more than the end of one file.
func TestTensorBoardReadsOnAfterATornFile(t *testing.T) {
	root := t.TempDir()
	var now time.Time
	for i := range int64(3) {
		now = time.Unix(1700000000+i, 0)
		o := &summary.Options{Now: func() time.Time { return now }}
		w, err := summary.CreateFileWriter(t.Context(), local.Dir(root), o)
		if err != nil {
			t.Fatal(err)
		}
		for step := range int64(3) {
			if err := w.Scalar("loss", 10*i+step, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v, want 3", len(files), err)
	}
	tear(t, files[0], -5)
	tear(t, files[1], -70) // two of the three points
	var steps []int64
	for _, p := range must[map[string][]point](t, "accumulate", map[string]any{"directory": root})["loss"] {
		steps = append(steps, p.Step)
	}
	if want := []int64{0, 1, 10, 20, 21, 22}; !slices.Equal(steps, want) {
		t.Errorf("TensorBoard has steps %v, want %v", steps, want)
	}
}

// tear takes bytes off the end of a file.
func tear(t *testing.T, path string, by int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()+by); err != nil {
		t.Fatal(err)
	}
}
