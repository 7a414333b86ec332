package tensorslice_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// read returns a golden file of TensorFlow's, which may be compressed. They
// are made by interop/golden.
func read(t testing.TB, name string) []byte {
	t.Helper()
	return golden.Read(t, "tf/"+name)
}

// checkpoints are the checkpoints in testdata/tf and their files.
var checkpoints = map[string][]string{
	"dtypes":        {"dtypes"},
	"large":         {"large"},
	"saver":         {"saver"},
	"saver_sharded": {"saver_sharded-00000-of-00002", "saver_sharded-00001-of-00002"},
	"slices":        {"slices"},
}

func open(files ...[]byte) (*tensorslice.Reader, error) {
	var list []tensorslice.File
	for i, b := range files {
		list = append(list, tensorslice.File{Name: "file" + string(rune('0'+i)), ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
	}
	return tensorslice.NewReader(list)
}

func mustOpen(t testing.TB, name string) *tensorslice.Reader {
	t.Helper()
	var files [][]byte
	for _, f := range checkpoints[name] {
		files = append(files, read(t, f))
	}
	r, err := open(files...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type described struct {
	Name, DType string
	Shape       tensor.Shape
	Value       *string // hexadecimal
	Strings     []string
}

func TestWhatTensorFlowWroteIsRead(t *testing.T) {
	for name := range checkpoints {
		t.Run(name, func(t *testing.T) {
			r := mustOpen(t, name)
			var want struct{ Tensors []described }
			if err := json.Unmarshal(read(t, name+".json"), &want); err != nil {
				t.Fatal(err)
			}
			for _, d := range want.Tensors {
				d.check(t, r)
			}
			if got := len(r.Names()); got != len(want.Tensors) {
				t.Errorf("%d names, want %d", got, len(want.Tensors))
			}
		})
	}
}

func (d described) check(t *testing.T, r *tensorslice.Reader) {
	t.Helper()
	info, err := r.Info(d.Name)
	if err != nil || info.DType.String() != d.DType || !info.Shape.Equal(d.Shape) {
		t.Errorf("Info(%q) = %v, %v, want %s %v", d.Name, info, err, d.DType, d.Shape)
	}
	got, err := r.Tensor(d.Name)
	if err != nil || got.DType().String() != d.DType || !got.Shape().Equal(d.Shape) {
		t.Errorf("Tensor(%q) = %v %v, %v", d.Name, got.DType(), got.Shape(), err)
		return
	}
	if err := r.Verify(d.Name); err != nil {
		t.Errorf("Verify(%q) = %v", d.Name, err)
	}
	if got.DType() == tensor.String {
		d.checkStrings(t, got)
		return
	}
	if hex.EncodeToString(got.Bytes()) != *d.Value {
		t.Errorf("Tensor(%q) = %x, want %s", d.Name, got.Bytes(), *d.Value)
	}
	dst := make([]byte, got.NumBytes())
	if err := r.ReadInto(d.Name, dst); err != nil || !bytes.Equal(dst, got.Bytes()) {
		t.Errorf("ReadInto(%q) = %x, %v", d.Name, dst, err)
	}
}

func (d described) checkStrings(t *testing.T, x tensor.Tensor) {
	t.Helper()
	elems, err := x.Strings()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, len(elems))
	for i, e := range elems {
		got[i] = hex.EncodeToString([]byte(e))
	}
	if !slices.Equal(got, d.Strings) {
		t.Errorf("Tensor(%q) = %q, want %q", d.Name, got, d.Strings)
	}
}

// The messages are complete: writing what was read gives the bytes read.
func TestRewritingGivesTensorFlowsBytes(t *testing.T) {
	for _, files := range checkpoints {
		for _, name := range files {
			want := read(t, name)
			if got := rewrite(t, want, func(*tfproto.SavedTensorSlices) {}); !bytes.Equal(got, want) {
				t.Errorf("%s: rewritten, differs", name)
			}
		}
	}
}

// rewrite writes a V1 file again, with each message changed.
func rewrite(t testing.TB, file []byte, change func(*tfproto.SavedTensorSlices)) []byte {
	t.Helper()
	r, err := table.NewReader(bytes.NewReader(file), int64(len(file)), "file")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := table.NewWriter(&out)
	for e, err := range r.All() {
		if err != nil {
			t.Fatal(err)
		}
		var s tfproto.SavedTensorSlices
		if err := s.Unmarshal(e.Value); err != nil {
			t.Fatal(err)
		}
		change(&s)
		if s.Meta == nil && s.Data == nil {
			continue
		}
		if err := w.Add(e.Key, s.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestNamesAreInFileOrder(t *testing.T) {
	want := "dense/kernel dense/kernel/Adam dense/kernel/Adam_1 global_step beta1_power beta2_power dense/bias dense/bias/Adam dense/bias/Adam_1 emb"
	if got := strings.Join(mustOpen(t, "saver_sharded").Names(), " "); got != want {
		t.Errorf("Names() = %s, want %s", got, want)
	}
}

func TestRegionsOfPartitionedTensorsAreRead(t *testing.T) {
	r := mustOpen(t, "slices")
	for _, name := range []string{"emb", "cube", "plain"} {
		whole, err := r.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range map[string][]string{
			"emb": {"-:-", "3,4:1,2", "0,5:-", "9,1:3,1"}, "cube": {"1,2:-:1,1", "-:0,1:-", "-:-:-"}, "plain": {""},
		}[name] {
			part, err := tensor.ParseSlice(spec)
			if err != nil {
				t.Fatal(err)
			}
			want, err := whole.Slice(part)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.Slice(name, part); err != nil || !got.Equal(want) {
				t.Errorf("Slice(%s, %s) = %v, %v, want %v", name, spec, got, err, want)
			}
		}
	}
}

func TestOnlyV1IsV1(t *testing.T) {
	v1 := read(t, "slices")
	v2, err := os.ReadFile("../tensorbundle/testdata/tf/slices.index")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want bool
	}{"V1": {v1, true}, "V2 index": {v2, false}, "text": {[]byte("model_checkpoint_path"), false}, "nothing": {nil, false}, "torn": {v1[:99], false}} {
		if got := tensorslice.IsV1(bytes.NewReader(c.file), int64(len(c.file))); got != c.want {
			t.Errorf("IsV1(%s) = %v", name, got)
		}
	}
	if _, err := open(v2); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("NewReader(a V2 index) = %v", err)
	}
}
