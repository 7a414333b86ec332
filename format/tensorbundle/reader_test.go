package tensorbundle_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/tensor"
	"pgregory.net/rapid"
)

func TestNamesAreInFileOrder(t *testing.T) {
	for name, want := range map[string]string{
		"merged": "z/last mid emb a late",
		"slices": "before emb cube half words whole whole_dashes after",
		"victim": "kernel words part none raw",
	} {
		b := victim(t)
		if name != "victim" {
			b = load(t, name)
		}
		if got := strings.Join(b.mustOpen(t).Names(), " "); got != want {
			t.Errorf("%s: Names() = %s, want %s", name, got, want)
		}
	}
}

func TestUnknownNamesAndSliceKeysAreNoTensors(t *testing.T) {
	r := load(t, "slices").mustOpen(t)
	for _, name := range []string{"", "nope", "\x00emb\x00\x01\x01\x02\x80\x85\x80\x7f"} {
		_, err1 := r.Tensor(name)
		_, err2 := r.Info(name)
		_, err3 := r.Entry(name)
		_, err4 := r.Slices(name)
		_, err5 := r.Slice(name, tensor.Slice{})
		for i, err := range []error{err1, err2, err3, err4, err5, r.Verify(name), r.ReadInto(name, nil)} {
			if !errors.Is(err, format.ErrNoTensor) {
				t.Errorf("%q: method %d: error is %v, want ErrNoTensor", name, i, err)
			}
		}
	}
}

// Every golden bundle, every tensor: regions must equal those cut out of the
// whole, however the tensor is stored, big-endian ones too.
func TestAnyRegionOfAnyTensorIsRead(t *testing.T) {
	for _, name := range []string{"slices", "merged", "shapes", "strings", "dtypes", "big_endian", "variant"} {
		r := load(t, name).mustOpen(t)
		whole := map[string]tensor.Tensor{}
		for _, n := range r.Names() {
			x, err := r.Tensor(n)
			if err != nil {
				t.Fatal(err)
			}
			whole[n] = x
		}
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.SampledFrom(r.Names()).Draw(t, "name")
			part := drawSlice(t, whole[n].Shape())
			want, err := whole[n].Slice(part)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.Slice(n, part); err != nil || !got.Equal(want) {
				t.Fatalf("Slice(%s, %v) = %v, %v, want %v", n, part, got, err, want)
			}
		})
	}
}

func drawSlice(t *rapid.T, full tensor.Shape) (s tensor.Slice) {
	for _, d := range full {
		start := rapid.Int64Range(0, d).Draw(t, "start")
		s.Start = append(s.Start, start)
		s.Length = append(s.Length, rapid.Int64Range(0, d-start).Draw(t, "length"))
	}
	return s
}

func TestRegionsOutsideTheTensorAreErrors(t *testing.T) {
	r := load(t, "slices").mustOpen(t)
	for _, spec := range []string{"0,11:-", "-", "10,1:-", "-:-:-"} {
		if x, err := r.Slice("emb", *parseSlice(t, spec)); err == nil {
			t.Errorf("Slice(emb, %s) = %v", spec, x)
		}
	}
}

func TestReadIntoFillsExactlyTheTensor(t *testing.T) {
	for _, name := range []string{"dtypes", "big_endian", "slices", "shapes"} {
		r := load(t, name).mustOpen(t)
		for _, n := range r.Names() {
			want, err := r.Tensor(n)
			if err != nil {
				t.Fatal(err)
			}
			dst := make([]byte, want.NumBytes())
			err = r.ReadInto(n, dst)
			if want.DType() == tensor.String {
				if err == nil {
					t.Errorf("ReadInto(%s) of strings succeeds", n)
				}
				continue
			}
			if err != nil || !bytes.Equal(dst, want.Bytes()) {
				t.Errorf("ReadInto(%s) = %x, %v, want %x", n, dst, err, want.Bytes())
			}
			if err := r.ReadInto(n, make([]byte, len(dst)+1)); err == nil {
				t.Errorf("ReadInto(%s) of a byte too many succeeds", n)
			}
		}
	}
}

func TestEntriesOfPartitionedTensors(t *testing.T) {
	r := load(t, "merged").mustOpen(t)
	e, err := r.Entry("emb")
	if err != nil || e.Size != 84 || e.Shard != 1 || e.Offset != 0 || !e.Shape.Equal(tensor.Shape{7, 3}) || e.Slice != nil {
		t.Errorf("Entry(emb) = %+v, %v", e, err)
	}
	parts, err := r.Slices("emb")
	var got []string
	for _, p := range parts {
		got = append(got, fmt.Sprintf("%s %v of %v: %v, shard %d, %d bytes at %d", p.Name, p.Slice, p.Full, p.Shape, p.Shard, p.Size, p.Offset))
	}
	want := []string{
		"emb 0,3:0,3 of [7,3]: [3,3], shard 1, 36 bytes at 0",
		"emb 3,1:0,3 of [7,3]: [1,3], shard 2, 12 bytes at 2",
		"emb 4,3:0,3 of [7,3]: [3,3], shard 2, 36 bytes at 14",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Slices(emb) = %q, %v, want %q", got, err, want)
	}
}

// spy notes what is read of a file.
type spy struct {
	io.ReaderAt
	mu        *sync.Mutex
	from, to  *int64
	most, sum *int64
}

func (s spy) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.from, *s.to = min(*s.from, off), max(*s.to, off+int64(len(p)))
	*s.most, *s.sum = max(*s.most, int64(len(p))), *s.sum+int64(len(p))
	return s.ReaderAt.ReadAt(p, off)
}

func TestOneTensorIsReadAndNoMore(t *testing.T) {
	var from, to, most, sum, opened int64
	var mu sync.Mutex
	b := write(t, []format.Named{
		{Name: "before", Tensor: f32(t, nil, 1)},
		{Name: "large", Tensor: f32(t, tensor.Shape{1 << 20}, make([]float32, 1<<20)...)},
		{Name: "after", Tensor: f32(t, nil, 2)},
	})
	r, err := tensorbundle.NewReader(bytes.NewReader(b.index), int64(len(b.index)), func(int, int) (io.ReaderAt, int64, error) {
		opened++
		return spy{ReaderAt: bytes.NewReader(b.data[0]), mu: &mu, from: &from, to: &to, most: &most, sum: &sum}, int64(len(b.data[0])), nil
	})
	if err != nil || opened != 0 {
		t.Fatalf("NewReader opens %d data files, %v", opened, err)
	}
	for what, read := range map[string]func() error{
		"Tensor": func() error { _, err := r.Tensor("large"); return err },
		"Verify": func() error { return r.Verify("large") },
		"Slice": func() error {
			_, err := r.Slice("large", tensor.Slice{Start: []int64{7}, Length: []int64{9}})
			return err
		},
		"ReadInto": func() error { return r.ReadInto("large", make([]byte, 4<<20)) },
	} {
		from, to, most, sum = 1<<60, 0, 0, 0
		if err := read(); err != nil {
			t.Fatal(err)
		}
		if from != 4 || to != 4+4<<20 || sum != 4<<20 || most > 2<<20 {
			t.Errorf("%s reads bytes %d to %d, %d in all, at most %d at once", what, from, to, sum, most)
		}
	}
	if opened != 1 {
		t.Errorf("data file opened %d times", opened)
	}
}

func TestVerifyAndSliceHoldLittle(t *testing.T) {
	words := make([]string, 1000)
	for i := range words {
		words[i] = strings.Repeat("w", 10_000)
	}
	x, err := tensor.FromStrings(tensor.Shape{1000}, words)
	if err != nil {
		t.Fatal(err)
	}
	r := write(t, []format.Named{{Name: "f", Tensor: f32(t, tensor.Shape{10 << 20}, make([]float32, 10<<20)...)}, {Name: "s", Tensor: x}}).mustOpen(t)
	part := tensor.Slice{Start: []int64{500}, Length: []int64{2}}
	for _, name := range []string{"f", "s"} {
		got := allocated(func() {
			_, serr := r.Slice(name, part)
			if err := errors.Join(serr, r.Verify(name)); err != nil {
				t.Fatal(err)
			}
		})
		if got > 9<<20 { // three readers, of 2 MiB each
			t.Errorf("%s: allocated %d bytes", name, got)
		}
	}
}

func TestReadersAreSafeForSeveralGoroutines(t *testing.T) {
	r := load(t, "merged").mustOpen(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, name := range r.Names() {
				if _, err := r.Tensor(name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestLayoutsOfGoldenBundles(t *testing.T) {
	for _, name := range []string{"merged", "slices", "big_endian", "maxshard"} {
		var out bytes.Buffer
		if err := load(t, name).mustOpen(t).Layout(&out); err != nil {
			t.Fatal(err)
		}
		golden.Equal(t, "layout/"+name+".txt", out.Bytes())
	}
}

func TestALayoutShowsGapsAndMissingFiles(t *testing.T) {
	b := victim(t)
	b.data[0] = append(b.data[0], "extra"...)
	b.data = b.data[:1]
	var out bytes.Buffer
	if err := b.mustOpen(t).Layout(&out); err == nil {
		t.Error("Layout without a data file = nil")
	}
	for _, want := range []string{"5 bytes: of no tensor\n", "data-00001-of-00002: open x.data-00001-of-00002: file does not exist\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("layout lacks %q:\n%s", want, out.String())
		}
	}
}
