package tensorslice_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// all reads everything that files hold.
func all(files ...[]byte) (map[string]tensor.Tensor, error) {
	r, err := open(files...)
	if err != nil {
		return nil, err
	}
	m := map[string]tensor.Tensor{}
	for _, name := range r.Names() {
		if m[name], err = r.Tensor(name); err != nil {
			return nil, err
		}
	}
	return m, r.Layout(io.Discard)
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	good := read(t, "slices")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0xff
		if m, err := all(bad); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("byte %d flipped: %v, %v", i, m, err)
		}
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	good := read(t, "slices")
	for n := range good {
		if _, err := all(good[:n]); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// Damage in one data block does not keep the others from being read.
func TestDamageNamesTheTensorAndTheFile(t *testing.T) {
	bad := read(t, "large")
	bad[300_000] ^= 1
	r, err := open(bad)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range r.Names() {
		_, err := r.Tensor(name)
		if (name == "b") != errors.Is(err, format.ErrCorrupt) {
			t.Errorf("Tensor(%s) = %v", name, err)
		}
		if name == "b" && !strings.HasPrefix(err.Error(), "b in file0 at byte 116 (600040 bytes): block checksum mismatch") {
			t.Errorf("error is %q", err)
		}
	}
	var out bytes.Buffer
	if err := r.Layout(&out); !errors.Is(err, format.ErrCorrupt) || !strings.Contains(out.String(), "block checksum mismatch") {
		t.Errorf("Layout = %v:\n%s", err, out.String())
	}
}

func TestHostileFilesAreDescribed(t *testing.T) {
	const huge = 1 << 60
	good := read(t, "slices")
	meta := func(change func(m *tfproto.SavedSliceMeta)) []byte {
		return rewrite(t, good, func(s *tfproto.SavedTensorSlices) {
			if s.Meta != nil {
				for i := range s.Meta.Tensors {
					if m := &s.Meta.Tensors[i]; m.Name == "emb" {
						change(m)
					}
				}
			}
		})
	}
	data := func(change func(s *tfproto.SavedTensorSlices)) []byte {
		return rewrite(t, good, func(s *tfproto.SavedTensorSlices) {
			if s.Data != nil && s.Data.Name == "emb" {
				change(s)
			}
		})
	}
	for _, c := range []struct {
		want  string
		files [][]byte
	}{
		{"emb in file0 at byte 0: invalid tensor shape", [][]byte{meta(func(m *tfproto.SavedSliceMeta) { m.Shape.Dims[0] = -1 })}},
		{"not sufficient slices to restore slice 0,1152921504606846976:0,4", [][]byte{meta(func(m *tfproto.SavedSliceMeta) { m.Shape.Dims[0] = huge })}},
		{"slice 0,5:0,-5", [][]byte{meta(func(m *tfproto.SavedSliceMeta) { m.Slices[0].Length[1] = -5 })}},
		{"is missing", [][]byte{meta(func(m *tfproto.SavedSliceMeta) { m.Slices[0].Length[1] = 4 })}},
		{"they hold 20 of its 40 elements", [][]byte{meta(func(m *tfproto.SavedSliceMeta) { m.Slices = m.Slices[:1] })}},
		{"they hold 0 of its 40 elements", [][]byte{meta(func(m *tfproto.SavedSliceMeta) { m.Slices = nil })}},
		{"has 20 elements, its value has 0", [][]byte{meta(func(m *tfproto.SavedSliceMeta) { m.Type = int32(tensor.Complex64) })}},
		{"has 20 elements, its value has 19", [][]byte{data(func(s *tfproto.SavedTensorSlices) { s.Data.Data.Packed[5] = s.Data.Data.Packed[5][4:] })}},
		{"are no number of elements", [][]byte{data(func(s *tfproto.SavedTensorSlices) { s.Data.Data.Packed[5] = s.Data.Data.Packed[5][1:] })}},
		{"has no value", [][]byte{data(func(s *tfproto.SavedTensorSlices) {
			*s = tfproto.SavedTensorSlices{Meta: &tfproto.SavedTensorSliceMeta{}}
		})}},
		{"overlapping slices", [][]byte{good, good}},
		{"is float64 [10,4] here, float32 [10,4] elsewhere", [][]byte{good, meta(func(m *tfproto.SavedSliceMeta) { m.Type = int32(tensor.Float64) })}},
		{"the first key is not empty", [][]byte{rewrite(t, good, func(s *tfproto.SavedTensorSlices) { s.Meta = nil })}},
	} {
		_, err := all(c.files...)
		if !errors.Is(err, format.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error is %v, want %q", err, c.want)
		}
	}
}

func TestWhatIsNotForThisReaderIsUnsupported(t *testing.T) {
	good := read(t, "slices")
	newer := rewrite(t, good, func(s *tfproto.SavedTensorSlices) {
		if s.Meta != nil {
			s.Meta.Versions.MinConsumer = 2
		}
	})
	if _, err := open(newer); !errors.Is(err, format.ErrUnsupported) || !strings.Contains(err.Error(), "min consumer version 2") {
		t.Errorf("NewReader = %v", err)
	}
	for _, dtype := range []tensor.DType{77, tensor.Variant, tensor.Resource, tensor.Float4E2M1FN} {
		r, err := open(rewrite(t, good, func(s *tfproto.SavedTensorSlices) {
			if s.Meta != nil {
				for i := range s.Meta.Tensors {
					s.Meta.Tensors[i].Type = int32(dtype)
					if s.Meta.Tensors[i].Name == "cube" {
						s.Meta.Tensors[i].Shape.Dims, s.Meta.Tensors[i].Slices = []int64{0}, nil
					}
				}
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"emb", "cube"} {
			if _, err := r.Tensor(name); !errors.Is(err, format.ErrUnsupported) && (name == "emb" || dtype != tensor.Float4E2M1FN) {
				t.Errorf("Tensor(%s) of %v = %v", name, dtype, err)
			}
		}
	}
}

// failing is a file on a disk that fails after the footer and the index.
type failing struct {
	io.ReaderAt
	reads *int
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if *f.reads--; *f.reads < 0 {
		return 0, fs.ErrPermission
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestAnIOErrorIsNotCorruption(t *testing.T) {
	b := read(t, "large")
	for n := range 4 {
		reads := n
		r, err := tensorslice.NewReader([]tensorslice.File{{Name: "f", ReaderAt: failing{bytes.NewReader(b), &reads}, Size: int64(len(b))}})
		if err == nil {
			_, err = r.Tensor("d")
		}
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, format.ErrCorrupt) {
			t.Errorf("after %d reads: %v", n, err)
		}
	}
}

func TestLayoutOfAGoldenFile(t *testing.T) {
	var out bytes.Buffer
	if err := mustOpen(t, "saver_sharded").Layout(&out); err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "layout/saver_sharded.txt", out.Bytes())
}

func FuzzTensorSlice(f *testing.F) {
	for _, name := range []string{"slices", "dtypes", "saver", "saver_sharded-00001-of-00002"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := all(file)
		runtime.ReadMemStats(&after)
		if err != nil && !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("error is %v", err)
		}
		if got, limit := after.TotalAlloc-before.TotalAlloc, 64<<20+2000*len(file)*(1+len(m)); got > uint64(limit) {
			t.Errorf("allocated %d bytes for %d", got, len(file))
		}
	})
}

// FuzzSavedSlice makes sound tables of unsound messages.
func FuzzSavedSlice(f *testing.F) {
	good := read(f, "slices")
	var meta, data []byte
	rewrite(f, good, func(s *tfproto.SavedTensorSlices) {
		if s.Meta != nil {
			meta = s.Marshal()
		} else {
			data = s.Marshal()
		}
	})
	f.Add(meta, data)
	f.Fuzz(func(t *testing.T, meta, data []byte) {
		var m, d tfproto.SavedTensorSlices
		if m.Unmarshal(meta) != nil || d.Unmarshal(data) != nil || m.Meta == nil || d.Data == nil {
			return
		}
		_, err := all(rewrite(t, good, func(s *tfproto.SavedTensorSlices) {
			if s.Meta != nil {
				*s = m
			} else {
				*s = d
			}
		}))
		if err != nil && !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("error is %v", err)
		}
	})
}
