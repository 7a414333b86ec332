package tensorbundle_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/tensor"
	"pgregory.net/rapid"
)

func f32(t testing.TB, shape tensor.Shape, elems ...float32) tensor.Tensor {
	t.Helper()
	x, err := tensor.New(shape, elems)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func parseSlice(t testing.TB, spec string) *tensor.Slice {
	t.Helper()
	s, err := tensor.ParseSlice(spec)
	if err != nil {
		t.Fatal(err)
	}
	return &s
}

// write makes a bundle of the given shards.
func write(t testing.TB, shards ...[]format.Named) bundle {
	t.Helper()
	b, err := tryWrite(shards...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tryWrite(shards ...[]format.Named) (b bundle, err error) {
	var list []tensorbundle.Shard
	for i, tensors := range shards {
		var data bytes.Buffer
		w := tensorbundle.NewWriter(&data, i)
		for _, n := range tensors {
			if err := w.Add(n); err != nil {
				return b, err
			}
		}
		b.data = append(b.data, data.Bytes())
		list = append(list, w.Shard())
	}
	var index bytes.Buffer
	err = tensorbundle.WriteIndex(&index, list)
	b.index = index.Bytes()
	return b, err
}

func TestEverythingWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var shards [][]format.Named
		all := map[string]tensor.Tensor{}
		for i := range rapid.IntRange(1, 3).Draw(t, "shards") {
			shards = append(shards, nil)
			for j := range rapid.IntRange(1, 4).Draw(t, "tensors") {
				n := format.Named{Name: fmt.Sprintf("model/%d/%d", j, i), Tensor: drawTensor(t)}
				all[n.Name] = n.Tensor
				shards[i] = append(shards[i], n)
			}
		}
		b, err := tryWrite(shards...)
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.open()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range all {
			if got, err := r.Tensor(name); err != nil || !got.Equal(want) {
				t.Fatalf("Tensor(%s) = %v, %v, want %v", name, got, err, want)
			}
			if err := r.Verify(name); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func drawTensor(t *rapid.T) tensor.Tensor {
	d := tensor.DType(rapid.IntRange(int(tensor.Float32), int(tensor.Uint2)).Draw(t, "dtype"))
	if d == tensor.Resource {
		d = tensor.Variant
	}
	shape := tensor.Shape(rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 3).Draw(t, "shape"))
	n, err := shape.NumElements()
	if err != nil {
		t.Fatal(err)
	}
	var x tensor.Tensor
	switch elems := rapid.SliceOfN(rapid.StringN(0, 300, -1), int(n), int(n)); d {
	case tensor.String:
		x, err = tensor.FromStrings(shape, elems.Draw(t, "elems"))
	case tensor.Variant:
		x, err = tensor.FromVariants(shape, elems.Draw(t, "elems"))
	default:
		size := int(n) * d.Size()
		x, err = tensor.FromBytes(d, shape, rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "bytes"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestAShardDescribesItsWholeFile(t *testing.T) {
	strings, err := tensor.FromStrings(tensor.Shape{2}, []string{strings.Repeat("long", 50_000), ""})
	if err != nil {
		t.Fatal(err)
	}
	variants, err := tensor.FromVariants(tensor.Shape{1}, []string{"raw"})
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	w := tensorbundle.NewWriter(&data, 3)
	all := []tensor.Tensor{f32(t, tensor.Shape{100_000}, make([]float32, 100_000)...), strings, variants, f32(t, nil, 1)}
	for i, x := range all {
		if err := w.Add(format.Named{Name: fmt.Sprint(i), Tensor: x}); err != nil {
			t.Fatal(err)
		}
	}
	s := w.Shard()
	if want := crc32c.Update(0, data.Bytes()); s.CRC32C != want || s.Size != int64(data.Len()) {
		t.Errorf("Shard() = %d bytes, crc32c %08x, want %d, %08x", s.Size, s.CRC32C, data.Len(), want)
	}
	end := int64(0)
	for i, e := range s.Entries {
		if got := tensorbundle.SizeOf(all[i]); got != e.Size {
			t.Errorf("%s: SizeOf = %d, it takes %d", e.Name, got, e.Size)
		}
		if e.Shard != 3 || e.Offset != end {
			t.Errorf("%s: shard %d, byte %d, want 3, %d", e.Name, e.Shard, e.Offset, end)
		}
		end += e.Size
	}
}

func TestBadTensorsAreRefusedAndEverythingAfterThem(t *testing.T) {
	scalar, vector := f32(t, nil, 1), f32(t, tensor.Shape{2}, 1, 2)
	half := func(spec string, full ...int64) format.Named {
		return format.Named{Name: "p", Tensor: vector, Slice: parseSlice(t, spec), Full: full}
	}
	for _, c := range []struct {
		name, want string
		add        []format.Named
	}{
		{"twice", "a: adding duplicate key", []format.Named{{Name: "a", Tensor: scalar}, {Name: "a", Tensor: vector}}},
		{"empty key", "the name is empty", []format.Named{{Tensor: scalar}}},
		{"no tensor", "dtype invalid cannot be stored: unsupported", []format.Named{{Name: "a"}}},
		{"slice twice", "p, slice 0,2: adding duplicate key", []format.Named{half("0,2", 4), half("0,2", 4)}},
		{"whole and slice", "there is a whole tensor of that name", []format.Named{{Name: "p", Tensor: scalar}, half("0,2", 4)}},
		{"slice and whole", "p: adding duplicate key", []format.Named{half("0,2", 4), {Name: "p", Tensor: scalar}}},
		{"another whole", "is a slice of float32 [5], others are of float32 [4]", []format.Named{half("0,2", 4), half("2,2", 5)}},
		{"outside", "slice 3,2: outside", []format.Named{half("3,2", 4)}},
		{"another shape", "has shape [3], its value has [2]", []format.Named{half("0,3", 4)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var data bytes.Buffer
			w := tensorbundle.NewWriter(&data, 0)
			var err error
			for _, n := range c.add {
				err = w.Add(n)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("Add = %v, want %q", err, c.want)
			}
			size := data.Len()
			if again := w.Add(format.Named{Name: "good", Tensor: scalar}); again == nil || data.Len() != size {
				t.Errorf("Add after an error = %v, wrote %d bytes", again, data.Len()-size)
			}
			if err := tensorbundle.WriteIndex(&data, []tensorbundle.Shard{w.Shard()}); err == nil {
				t.Error("WriteIndex succeeds after a failed Add")
			}
		})
	}
}

// full is a disk with room for n bytes.
type full struct{ n int }

var errFull = errors.New("no space left on device")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.n)
	f.n -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

// short loses the end of what it is given, without an error.
type short struct{}

func (short) Write(p []byte) (int, error) { return len(p) / 2, nil }

func TestWriteErrorsComeBack(t *testing.T) {
	b := load(t, "variant")
	r := b.mustOpen(t)
	for n := range len(b.data[0]) {
		w := tensorbundle.NewWriter(&full{n}, 0)
		var err error
		for _, name := range r.Names() {
			x, rerr := r.Tensor(name)
			if rerr != nil {
				t.Fatal(rerr)
			}
			if err = w.Add(format.Named{Name: name, Tensor: x}); err != nil {
				break
			}
		}
		if !errors.Is(err, errFull) {
			t.Fatalf("a disk of %d bytes: error is %v", n, err)
		}
	}
	if err := tensorbundle.NewWriter(short{}, 0).Add(format.Named{Name: "a", Tensor: f32(t, nil, 1)}); err == nil {
		t.Error("a short write is no error")
	}
}

func TestSlicesAreStoredAsTensorFlowDoes(t *testing.T) {
	rows := func(name, spec string, n int64) format.Named {
		return format.Named{Name: name, Tensor: f32(t, tensor.Shape{n, 2}, make([]float32, 2*n)...), Slice: parseSlice(t, spec), Full: tensor.Shape{4, 2}}
	}
	b := write(t, []format.Named{rows("cut", "2,2:-", 2), rows("all", "-:-", 4), rows("cut", "0,2:0,2", 2), rows("numbers", "0,4:0,2", 4)})
	r := b.mustOpen(t)
	var got []string
	for _, name := range r.Names() {
		parts, err := r.Slices(name)
		if err != nil {
			t.Fatal(err)
		}
		s := name
		for _, p := range parts {
			s += " " + p.Slice.String()
		}
		got = append(got, s)
	}
	if want := []string{"cut 2,2:- 0,2:0,2", "all", "numbers"}; !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
}

func TestWhatTheCallerChangesAfterAddIsNotWritten(t *testing.T) {
	full, part := tensor.Shape{4}, parseSlice(t, "0,2")
	var data, index bytes.Buffer
	w := tensorbundle.NewWriter(&data, 0)
	if err := w.Add(format.Named{Name: "p", Tensor: f32(t, tensor.Shape{2}, 1, 2), Slice: part, Full: full}); err != nil {
		t.Fatal(err)
	}
	full[0], part.Start[0] = 99, 99
	if err := tensorbundle.WriteIndex(&index, []tensorbundle.Shard{w.Shard()}); err != nil {
		t.Fatal(err)
	}
	parts, err := bundle{index.Bytes(), [][]byte{data.Bytes()}}.mustOpen(t).Slices("p")
	if err != nil || parts[0].Slice.String() != "0,2" || parts[0].Full[0] != 4 {
		t.Errorf("Slices(p) = %+v, %v", parts, err)
	}
}
