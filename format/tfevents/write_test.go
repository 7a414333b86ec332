package tfevents_test

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/tensor"
)

func TestAFileBeginsWithItsVersion(t *testing.T) {
	var b bytes.Buffer
	if _, err := tfevents.NewWriter(&b, time.Unix(1700000000, 5e8)); err != nil {
		t.Fatal(err)
	}
	first := mustRead(t, b.Bytes())[0]
	if first.FileVersion != tfevents.FileVersion || first.Writer == "" || !first.Time.Equal(time.Unix(1700000000, 0)) {
		t.Errorf("first event is %+v", first)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestAWriteThatFailsIsTold(t *testing.T) {
	broken := errors.New("disk full")
	if _, err := tfevents.NewWriter(brokenWriter{broken}, time.Now()); !errors.Is(err, broken) {
		t.Errorf("NewWriter = %v, want %v", err, broken)
	}
}

func TestATensorWithoutPlaceInAnEventIsAnError(t *testing.T) {
	v, err := tensor.FromVariants(nil, []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	e := tfevents.Event{Values: []tfevents.Value{{Tag: "v", Tensor: v}}}
	if _, err := tfevents.Append(nil, e); err == nil {
		t.Error("Append of a variant gave no error")
	}
}

func TestScalarsAreFloat32(t *testing.T) {
	for _, c := range []struct{ in, want float64 }{
		{0, 0}, {-1.5, -1.5}, {0.1, float64(float32(0.1))}, {1e300, math.Inf(1)}, {math.Inf(-1), math.Inf(-1)},
	} {
		if got, ok := tfevents.Scalar("x", c.in).Scalar(); !ok || got != c.want {
			t.Errorf("Scalar(%v) is %v, %t, want %v", c.in, got, ok, c.want)
		}
	}
	if got, ok := tfevents.Text("x", "1").Scalar(); ok {
		t.Errorf("a text is the scalar %v", got)
	}
	if got, ok := tfevents.Scalar("x", 1).Text(); ok {
		t.Errorf("a scalar is the text %q", got)
	}
}

func TestFilenameIsTensorFlows(t *testing.T) {
	if got, want := tfevents.Filename(time.Unix(17953395, 0), "host"), "events.out.tfevents.0017953395.host"; got != want {
		t.Errorf("Filename = %q, want %q", got, want)
	}
}
