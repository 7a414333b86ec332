package tensorbundle_test

import (
	"errors"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

func FuzzBundleReader(f *testing.F) {
	for _, name := range goldenNames(f) {
		if b := load(f, name); len(b.index) < 10_000 && len(b.data) <= 2 {
			f.Add(b.index, b.data[0])
		}
	}
	v := victim(f)
	f.Add(v.index, v.data[0])
	f.Fuzz(func(t *testing.T, index, data []byte) {
		b := bundle{index, [][]byte{data, data}}
		read := 0
		got := allocated(func() {
			m, err := all(b)
			if err != nil && !known(err) {
				t.Errorf("error is %v", err)
			}
			for _, x := range m {
				read += int(x.NumBytes()) + 16*int(x.NumElements())
			}
			if _, err := b.openOf("part", "kernel", "emb"); err != nil && !known(err) {
				t.Errorf("of some tensors, the error is %v", err)
			}
		})
		// Snappy makes 22 bytes of one, a key in a restart run counts 16 times,
		// and every tensor costs a few buffers.
		if limit := 64<<20 + 1000*(len(index)+len(data)) + 10*read; got > uint64(limit) {
			t.Errorf("allocated %d bytes for %d", got, len(index)+len(data))
		}
	})
}

// FuzzBundleEntries makes sound tables of unsound entries, which flipping bytes
// of a table rarely does.
func FuzzBundleEntries(f *testing.F) {
	e := entry(7, 6, 2)
	f.Add(e.Marshal(), e.Marshal(), []byte{1, 1, 0, 0, 0, 0, 'a', 'b'})
	p := tfproto.BundleEntry{DType: 1, Shape: tfproto.TensorShape{Dims: []int64{4}}, Slices: []tfproto.TensorSlice{slice(0, 2)}}
	part := entry(1, 8, 2)
	f.Add(p.Marshal(), part.Marshal(), []byte{1, 1, 0, 0, 0, 0, 'a', 'b'})
	f.Fuzz(func(t *testing.T, whole, part, data []byte) {
		b := craftRaw(t, whole, part)
		b.data[0] = data
		got := allocated(func() {
			if _, err := all(b); err != nil && !known(err) {
				t.Errorf("error is %v", err)
			}
		})
		if limit := 64<<20 + 1000*(len(whole)+len(part)+len(data)); got > uint64(limit) {
			t.Errorf("allocated %d bytes for %d", got, len(whole)+len(part)+len(data))
		}
	})
}

func known(err error) bool {
	return errors.Is(err, format.ErrCorrupt) || errors.Is(err, format.ErrUnsupported)
}
