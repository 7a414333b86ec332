package tensorbundle

import (
	"encoding/binary"
	"math"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/tensor"
)

// strings writes the elements of a string tensor and returns the entry's CRC.
// (TensorFlow: WriteStringTensor)
func (w *Writer) strings(elems []string) (uint32, error) {
	lengths := uint32(0)
	var tmp [binary.MaxVarintLen64]byte
	out := w.buffer()
	for _, s := range elems {
		lengths = crc32c.Update(lengths, fixedLength(tmp[:0], uint64(len(s)), binary.LittleEndian))
		out.put(binary.AppendUvarint(tmp[:0], uint64(len(s))))
	}
	// The varints are not part of the entry's CRC; the lengths they stand for
	// are, and then everything that follows.
	check := binary.LittleEndian.AppendUint32(tmp[:0], crc32c.Mask(lengths))
	out.put(check)
	out.sum = crc32c.Update(lengths, check)
	for _, s := range elems {
		out.hash(s)
	}
	out.flush()
	return out.sum, out.err
}

// SizeOf returns how many bytes of a data file t takes.
func SizeOf(t tensor.Tensor) int64 {
	n := t.NumBytes()
	elems, _ := t.Strings() // others have none
	for _, s := range elems {
		n += int64(len(binary.AppendUvarint(nil, uint64(len(s)))))
	}
	switch t.DType() {
	case tensor.String:
		n += 4
	case tensor.Variant:
		n += 4 * t.NumElements()
	}
	return n
}

// fixedLength appends a length as it goes into the lengths' CRC.
func fixedLength(b []byte, n uint64, order binary.AppendByteOrder) []byte {
	if n <= math.MaxUint32 {
		return order.AppendUint32(b, uint32(n))
	}
	return order.AppendUint64(b, n)
}

// variants writes the elements of a variant tensor, each a serialized message,
// and returns the entry's CRC. (TensorFlow: WriteVariantTensor)
func (w *Writer) variants(elems []string) (uint32, error) {
	out := w.buffer()
	var tmp [binary.MaxVarintLen64]byte
	for _, s := range elems {
		out.put(binary.AppendUvarint(tmp[:0], uint64(len(s))))
		out.sum = crc32c.Update(out.sum, binary.LittleEndian.AppendUint64(tmp[:0], uint64(len(s))))
		out.hash(s)
		check := binary.LittleEndian.AppendUint32(tmp[:0], crc32c.Mask(out.sum))
		out.put(check)
		out.sum = crc32c.Update(out.sum, check)
	}
	out.flush()
	return out.sum, out.err
}

// buffer joins small elements into pieces worth writing.
type buffer struct {
	w   *Writer
	buf []byte
	sum uint32 // the entry's CRC so far
	err error
}

func (w *Writer) buffer() *buffer {
	if w.scratch == nil {
		w.scratch = make([]byte, 0, 64<<10)
	}
	return &buffer{w: w, buf: w.scratch[:0]}
}

// put adds the few bytes of p.
func (b *buffer) put(p []byte) {
	if len(b.buf)+len(p) > cap(b.buf) {
		b.flush()
	}
	b.buf = append(b.buf, p...)
}

// hash adds a string of any length and takes it into the sum.
func (b *buffer) hash(s string) {
	for len(s) > 0 && b.err == nil {
		if len(b.buf) == cap(b.buf) {
			b.flush()
		}
		from := len(b.buf)
		n := copy(b.buf[from:cap(b.buf)], s)
		b.buf, s = b.buf[:from+n], s[n:]
		b.sum = crc32c.Update(b.sum, b.buf[from:])
	}
}

func (b *buffer) flush() {
	if b.err == nil {
		_, b.err = b.w.emit(b.buf)
	}
	b.buf = b.buf[:0]
}
