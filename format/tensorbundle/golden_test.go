package tensorbundle_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/tensor"
)

// bundle is a checkpoint in memory.
type bundle struct {
	index []byte
	data  [][]byte
}

func (b bundle) open() (*tensorbundle.Reader, error) {
	return tensorbundle.NewReader(bytes.NewReader(b.index), int64(len(b.index)), b.file)
}

func (b bundle) file(shard, shards int) (io.ReaderAt, int64, error) {
	if shard >= len(b.data) {
		return nil, 0, &fs.PathError{Op: "open", Path: tensorbundle.DataName("x", shard, shards), Err: fs.ErrNotExist}
	}
	return bytes.NewReader(b.data[shard]), int64(len(b.data[shard])), nil
}

func (b bundle) mustOpen(t testing.TB) *tensorbundle.Reader {
	t.Helper()
	r, err := b.open()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// goldenNames are the bundles that TensorFlow wrote: testdata/tf, made by
// interop/golden.
func goldenNames(t testing.TB) []string {
	t.Helper()
	var names []string
	for _, f := range glob(t, "testdata/tf/*.index*") {
		name, _, _ := strings.Cut(filepath.Base(f), ".")
		names = append(names, name)
	}
	if len(names) < 10 {
		t.Fatalf("only %d golden bundles in testdata/tf", len(names))
	}
	return names
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// read returns a golden file, which may be compressed.
func read(t testing.TB, name string) []byte {
	t.Helper()
	return golden.Read(t, "tf/"+name)
}

func load(t testing.TB, name string) bundle {
	t.Helper()
	b := bundle{index: read(t, name+".index")}
	for _, f := range glob(t, "testdata/tf/"+name+".data-*") {
		b.data = append(b.data, read(t, filepath.Base(f)))
	}
	return b
}

// described is a tensor as TensorFlow read it.
type described struct {
	Name, DType string
	Shape       tensor.Shape
	Value       *string // hexadecimal
	Strings     []string
}

func description(t testing.TB, name string) []described {
	t.Helper()
	var d struct{ Tensors []described }
	if err := json.Unmarshal(read(t, name+".json"), &d); err != nil {
		t.Fatal(err)
	}
	return d.Tensors
}

func (d described) check(t *testing.T, r *tensorbundle.Reader) {
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
	if d.Value != nil && hex.EncodeToString(got.Bytes()) != *d.Value {
		t.Errorf("Tensor(%q) = %x, want %s", d.Name, got.Bytes(), *d.Value)
	}
	if got.DType() == tensor.String && !slices.Equal(hexes(t, got), d.Strings) {
		t.Errorf("Tensor(%q) = %q, want %q", d.Name, hexes(t, got), d.Strings)
	}
}

func hexes(t testing.TB, x tensor.Tensor) []string {
	t.Helper()
	elems, err := x.Strings()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(elems))
	for i, e := range elems {
		out[i] = hex.EncodeToString([]byte(e))
	}
	return out
}

func TestWhatTensorFlowWroteIsRead(t *testing.T) {
	for _, name := range goldenNames(t) {
		t.Run(name, func(t *testing.T) {
			r := load(t, name).mustOpen(t)
			want := description(t, name)
			for _, d := range want {
				d.check(t, r)
			}
			if got := len(r.Names()); got != len(want) {
				t.Errorf("%d names, want %d", got, len(want))
			}
		})
	}
}

// rewrite writes all that r holds again: each data file and the index.
func rewrite(t testing.TB, r *tensorbundle.Reader) bundle {
	t.Helper()
	type at struct {
		shard  int
		offset int64
		size   int64
		format.Named
	}
	var all []at
	for _, name := range r.Names() {
		x, err := r.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := r.Entry(name)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := r.Slices(name)
		if err != nil {
			t.Fatal(err)
		}
		if parts == nil {
			all = append(all, at{entry.Shard, entry.Offset, entry.Size, format.Named{Name: name, Tensor: x}})
		}
		for _, p := range parts {
			value, err := r.Slice(name, *p.Slice)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, at{p.Shard, p.Offset, p.Size, format.Named{Name: name, Tensor: value, Slice: p.Slice, Full: p.Full}})
		}
	}
	slices.SortStableFunc(all, func(a, b at) int {
		if a.offset != b.offset {
			return int(a.offset - b.offset)
		}
		return int(a.size - b.size)
	})
	var b bundle
	var shards []tensorbundle.Shard
	for i := range r.Shards() {
		var data bytes.Buffer
		w := tensorbundle.NewWriter(&data, i)
		for _, a := range all {
			if a.shard != i {
				continue
			}
			if err := w.Add(a.Named); err != nil {
				t.Fatal(err)
			}
		}
		b.data = append(b.data, data.Bytes())
		shards = append(shards, w.Shard())
	}
	var index bytes.Buffer
	if err := tensorbundle.WriteIndex(&index, shards); err != nil {
		t.Fatal(err)
	}
	b.index = index.Bytes()
	return b
}

func TestRewritingGivesTensorFlowsBytes(t *testing.T) {
	for _, name := range goldenNames(t) {
		if name == "big_endian" || name == "snappy" {
			continue // made by other machines than this writer
		}
		t.Run(name, func(t *testing.T) {
			want := load(t, name)
			got := rewrite(t, want.mustOpen(t))
			for i := range want.data {
				if !bytes.Equal(got.data[i], want.data[i]) {
					t.Errorf("data file %d differs", i)
				}
			}
			if !bytes.Equal(got.index, want.index) {
				t.Errorf("index differs:\n%q\nwant:\n%q", got.index, want.index)
			}
		})
	}
}
