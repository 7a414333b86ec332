package tensorbundle_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/tensor"
)

// TestALargeTensorIsReadBySeveral: what they have read has the checksum of the
// whole, and damage to any of their parts shows.
func TestALargeTensorIsReadBySeveral(t *testing.T) {
	const elems = 9<<20 + 5 // 36 MiB and a little: three parts
	values := make([]float32, elems)
	for i := range values {
		values[i] = float32(i)
	}
	b := write(t, []format.Named{{Name: "before", Tensor: f32(t, nil, 1)}, {Name: "large", Tensor: f32(t, tensor.Shape{elems}, values...)}})
	want := f32(t, tensor.Shape{elems}, values...).Bytes()
	dst := make([]byte, len(want))
	r := b.mustOpen(t)
	if err := r.ReadInto("large", dst); err != nil || !bytes.Equal(dst, want) {
		t.Errorf("ReadInto = %v, as stored: %v, want so", err, bytes.Equal(dst, want))
	}
	if err := r.Verify("large"); err != nil {
		t.Errorf("Verify = %v, want nil", err)
	}
	for _, at := range []int{4, 4 + 16<<20 - 1, 4 + 16<<20, 4 + 33<<20, len(b.data[0]) - 1} {
		b.data[0][at] ^= 1
		var damage *format.CorruptError
		if err := r.ReadInto("large", dst); !errors.As(err, &damage) || damage.Tensor != "large" || damage.Length != int64(len(want)) {
			t.Errorf("ReadInto with byte %d changed = %v, want damage to all of large", at, err)
		}
		if err := r.Verify("large"); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("Verify with byte %d changed = %v, want ErrCorrupt", at, err)
		}
		b.data[0][at] ^= 1
	}
}

// shrinks is a file that ends earlier than it did when it was opened.
type shrinks struct{ io.ReaderAt }

func (s shrinks) ReadAt(p []byte, off int64) (int, error) {
	return io.NewSectionReader(s.ReaderAt, 0, 17<<20).ReadAt(p, off)
}

// TestALargeTensorThatEndsEarly is told at the first byte that is missing,
// whichever reader comes first.
func TestALargeTensorThatEndsEarly(t *testing.T) {
	const elems = 12 << 20
	b := write(t, []format.Named{{Name: "large", Tensor: f32(t, tensor.Shape{elems}, make([]float32, elems)...)}})
	r, err := tensorbundle.NewReader(bytes.NewReader(b.index), int64(len(b.index)), func(int, int) (io.ReaderAt, int64, error) {
		return shrinks{bytes.NewReader(b.data[0])}, int64(len(b.data[0])), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "large in data-00000-of-00001 at byte 0 (50331648 bytes): the file ends at byte 17825792"
	if err := r.Verify("large"); !errors.Is(err, format.ErrCorrupt) || err.Error() != want {
		t.Errorf("Verify of a file that shrank = %v, want %v", err, want)
	}
}
