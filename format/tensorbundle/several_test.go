package tensorbundle_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/tensor"
)

// sameTogether returns how reading all tensors together differs from reading one
// after the other, which gave want and failed, or nil.
func sameTogether(r *tensorbundle.Reader, want map[string]tensor.Tensor, failed error) error {
	names := r.Names()
	got, err := r.Tensors(names)
	for what, err := range map[string]error{"Tensors": err, "VerifyAll": r.VerifyAll(names)} {
		if fmt.Sprint(err) != fmt.Sprint(failed) && (what == "Tensors" || known(failed) != known(err)) {
			return fmt.Errorf("%s = %v, one by one it is %v", what, err, failed)
		}
	}
	for i, x := range got {
		if !x.Equal(want[names[i]]) {
			return fmt.Errorf("Tensors: %s = %v, want %v", names[i], x, want[names[i]])
		}
	}
	return nil
}

// counting is a file that counts how often it is read, and how much.
type counting struct {
	io.ReaderAt
	reads, bytes int
	fail         func(read int, p []byte) (int, error) // nil: as the file does
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	c.bytes += len(p)
	if c.fail != nil {
		if n, err := c.fail(c.reads-1, p); err != nil {
			_, _ = c.ReaderAt.ReadAt(p[:n], off)
			return n, err
		}
	}
	return c.ReaderAt.ReadAt(p, off)
}

// scattering reads to several places, and counts that once.
type scattering struct{ *counting }

func (s scattering) ReadvAt(to [][]byte, off int64) (int, error) {
	whole := make([]byte, len(bytes.Join(to, nil)))
	n, err := s.ReadAt(whole, off)
	for rest := whole[:n]; len(rest) > 0; to = to[1:] {
		rest = rest[copy(to[0], rest):]
	}
	return n, err
}

func openOn(t testing.TB, b bundle, file io.ReaderAt) *tensorbundle.Reader {
	t.Helper()
	r, err := tensorbundle.NewReader(bytes.NewReader(b.index), int64(len(b.index)), func(int, int) (io.ReaderAt, int64, error) {
		return file, int64(len(b.data[0])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rowOf writes n tensors t0000, t0001 ... of elems numbers each.
func rowOf(t testing.TB, n, elems int) (bundle, []string) {
	t.Helper()
	var all []format.Named
	var names []string
	for i := range n {
		values := make([]float32, elems)
		for j := range values {
			values[j] = float32(i ^ j)
		}
		names = append(names, fmt.Sprintf("t%04d", i))
		all = append(all, format.Named{Name: names[i], Tensor: f32(t, tensor.Shape{int64(elems)}, values...)})
	}
	return write(t, all), names
}

// ways are the ways to read several tensors.
func ways(r *tensorbundle.Reader, names []string, size int) map[string]func() error {
	return map[string]func() error{
		"Tensors":   func() error { _, err := r.Tensors(names); return err },
		"VerifyAll": func() error { return r.VerifyAll(names) },
		"ReadAllInto": func() error {
			dst := make([][]byte, len(names))
			for i := range dst {
				dst[i] = make([]byte, size)
			}
			return r.ReadAllInto(names, dst)
		},
	}
}

func TestNeighboursAreReadTogether(t *testing.T) {
	const n, elems = 500, 5000 // 20,000 bytes each, more than what is read besides
	b, names := rowOf(t, n, elems)
	all := len(b.data[0])
	for _, c := range []struct {
		what         string
		names        []string
		reads, bytes int
	}{
		{"all", names, (all + 2<<20 - 1) / (2 << 20), all},
		{"one", names[200:201], 1, 4 * elems},
		{"two that are apart", []string{names[7], names[9]}, 2, 8 * elems},
		{"two the wrong way around", []string{names[8], names[7]}, 2, 8 * elems},
		{"one twice", []string{names[8], names[8]}, 2, 8 * elems},
	} {
		for _, scatters := range []bool{false, true} {
			file := &counting{ReaderAt: bytes.NewReader(b.data[0])}
			r := openOn(t, b, file)
			if scatters {
				r = openOn(t, b, scattering{file})
			}
			for way, read := range ways(r, c.names, 4*elems) {
				file.reads, file.bytes = 0, 0
				if err := read(); err != nil || file.reads != c.reads || file.bytes != c.bytes {
					t.Errorf("%s of %s = %v, with %d readings of %d bytes, want %d of %d", way, c.what, err, file.reads, file.bytes, c.reads, c.bytes)
				}
			}
		}
	}
}

func TestASmallGapIsReadWithItsNeighbours(t *testing.T) {
	b, names := rowOf(t, 9, 1000)
	file := &counting{ReaderAt: bytes.NewReader(b.data[0])}
	every := []string{names[0], names[3], names[6]}
	for way, read := range ways(openOn(t, b, file), every, 4000) {
		file.reads, file.bytes = 0, 0
		if err := read(); err != nil || file.reads != 1 || file.bytes != 7*4000 {
			t.Errorf("%s = %v, with %d readings of %d bytes, want one of 28000", way, err, file.reads, file.bytes)
		}
	}
}

// TestReadingTogetherIsReadingOneByOne, of all kinds of tensors, in any order.
func TestReadingTogetherIsReadingOneByOne(t *testing.T) {
	for _, golden := range goldenNames(t) {
		r, err := load(t, golden).open()
		if err != nil {
			continue
		}
		rapid.Check(t, func(t *rapid.T) {
			names := rapid.SliceOf(rapid.SampledFrom(r.Names())).Draw(t, "names")
			if rapid.Bool().Draw(t, "in file order") {
				slices.SortFunc(names, func(a, b string) int { return slices.Index(r.Names(), a) - slices.Index(r.Names(), b) })
			}
			got, err := r.Tensors(names)
			into, all := make([][]byte, len(names)), error(nil)
			for i, name := range names {
				want, one := r.Tensor(name)
				all = errors.Join(all, one)
				if err == nil && (one != nil || !got[i].Equal(want)) {
					t.Fatalf("%s: Tensors: %s = %v, want %v, %v", golden, name, got[i], want, one)
				}
				if one == nil && want.DType().Size() > 0 {
					into[i] = make([]byte, want.NumBytes())
				}
			}
			if (all == nil) != (err == nil) {
				t.Fatalf("%s: Tensors = %v, one by one: %v", golden, err, all)
			}
			if r.ReadAllInto(names, into) != nil {
				return // there are strings among them
			}
			for i, x := range got {
				if !bytes.Equal(into[i], x.Bytes()) {
					t.Fatalf("%s: ReadAllInto: %s = %x, want %x", golden, names[i], into[i], x.Bytes())
				}
			}
		})
	}
}

var errDisk = errors.New("the disk fails")

// TestEachReadingTogetherMayFail: by an error, or because the file has become
// shorter; with the first tensor that lacks bytes, and where they are, in the
// error.
func TestEachReadingTogetherMayFail(t *testing.T) {
	const elems = 100_000
	b, names := rowOf(t, 12, elems)
	for _, fails := range []struct {
		with error
		is   error
		told string
	}{{errDisk, errDisk, "in data-00000-of-00001 at byte %d"}, {io.EOF, format.ErrCorrupt, "the file ends at byte %d"}} {
		for read := range 3 {
			for _, n := range []int{0, 1, 4*elems - 1, 4 * elems, 4*elems + 1, 1_200_000} {
				file := &counting{ReaderAt: bytes.NewReader(b.data[0])}
				at := 0
				file.fail = func(i int, p []byte) (int, error) {
					if i == read {
						at += n
						return n, fails.with
					}
					at += len(p)
					return 0, nil
				}
				for way, do := range ways(openOn(t, b, file), names, 4*elems) {
					file.reads, at = 0, 0
					err := do()
					want := fmt.Sprintf(fails.told, at)
					if !errors.Is(err, fails.is) || !strings.HasPrefix(err.Error(), names[at/4/elems]+" in") || !strings.Contains(err.Error(), want) {
						t.Errorf("%s, reading %d ends after %d bytes = %v, want %s and %q", way, read, n, err, names[at/4/elems], want)
					}
				}
			}
		}
	}
}

// TestOfWhatIsReadTogetherTheFirstDamageIsTold, though more is known to be wrong.
func TestOfWhatIsReadTogetherTheFirstDamageIsTold(t *testing.T) {
	b, names := rowOf(t, 10, 1000)
	b.data[0][4000*3+17] ^= 1
	b.data[0][4000*5] ^= 1
	b.data[0] = b.data[0][:4000*8]
	for way, read := range ways(b.mustOpen(t), names, 4000) {
		var damage *format.CorruptError
		if err := read(); !errors.As(err, &damage) || damage.Tensor != names[3] || damage.Offset != 12000 || damage.Length != 4000 {
			t.Errorf("%s = %v, want damage to all of %s", way, err, names[3])
		}
	}
	for way, read := range ways(b.mustOpen(t), []string{names[0], "unknown", names[3]}, 4000) {
		if err := read(); !errors.Is(err, format.ErrNoTensor) {
			t.Errorf("%s of an unknown name = %v, want ErrNoTensor", way, err)
		}
	}
}

func TestPlacesMustFit(t *testing.T) {
	b, names := rowOf(t, 2, 10)
	r := b.mustOpen(t)
	if err := r.ReadAllInto(names, make([][]byte, 1)); err == nil {
		t.Error("ReadAllInto of two tensors to one place = nil, want an error")
	}
	err := r.ReadAllInto(names, [][]byte{make([]byte, 40), make([]byte, 39)})
	if want := "t0001: float32 [10] does not fit into 39 bytes"; err == nil || err.Error() != want {
		t.Errorf("ReadAllInto = %v, want %s", err, want)
	}
}

func TestWhatOnlyClaimsToBeThereAllocatesNothing(t *testing.T) {
	b, names := rowOf(t, 3, 1<<20)
	b.data[0] = b.data[0][:100]
	for _, what := range []string{"Tensors", "VerifyAll"} {
		r := b.mustOpen(t)
		got := allocated(func() {
			if err := ways(r, names, 0)[what](); !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("%s = %v, want ErrCorrupt", what, err)
			}
		})
		if got > 1<<20 {
			t.Errorf("%s allocated %d bytes for a file of 100", what, got)
		}
	}
}

func TestAMissingDataFileIsNoDamage(t *testing.T) {
	b, names := rowOf(t, 3, 10)
	b.data = nil
	for way, read := range ways(b.mustOpen(t), names, 40) {
		if err := read(); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%s = %v, want ErrNotExist", way, err)
		}
	}
}
