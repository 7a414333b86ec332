package tensorbundle

import (
	"fmt"
	"io"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/tensor"
)

// pieceSize is how much is written before its CRC is taken: few enough bytes to
// be in the processor's cache still, whoever copied them. The other way round,
// CRC first, was 1.5 times slower.
const pieceSize = 256 << 10

// Writer writes one data file of a bundle and remembers where everything lies.
// Tensors are streamed: none is copied or kept. (TensorFlow: BundleWriter)
type Writer struct {
	w       io.Writer
	write   func([]byte) (int, error)   // to w
	update  func(uint32, []byte) uint32 // of a CRC
	shard   int
	keys    keys
	entries []Entry
	size    int64
	crc     uint32 // of the file so far
	scratch []byte
	err     error // the first; nothing is written after it
}

// NewWriter returns a Writer of data file number shard, counted from 0, whose
// bytes go to w.
func NewWriter(w io.Writer, shard int) *Writer {
	return &Writer{w: w, shard: shard, keys: keys{}}
}

// Add appends a tensor, or a slice of a partitioned one. The order of calls is
// the order of bytes in the file. After an error, such as a name given twice,
// every call fails. (TensorFlow: Add, AddSlice)
func (w *Writer) Add(t format.Named) error {
	return w.addBy(w.w.Write, crc32c.Update, t)
}

// AddKept is Add of a tensor whose elements stay what they are until the file is
// complete or given up. Where its bytes go they need not be copied, if that has a
// method for them, like storage.Keeper.
func (w *Writer) AddKept(t format.Named) error {
	to, ok := w.w.(interface {
		WriteKept(b []byte) (int, error)
	})
	if !ok || t.Tensor.DType().Size() == 0 { // those are encoded, in memory that is used again
		return w.Add(t)
	}
	return w.addBy(to.WriteKept, crc32c.UpdateCold, t)
}

func (w *Writer) addBy(write func([]byte) (int, error), update func(uint32, []byte) uint32, t format.Named) error {
	if w.err == nil {
		w.write, w.update = write, update
		w.err = w.add(t)
	}
	return w.err
}

func (w *Writer) add(t format.Named) error {
	e, err := newEntry(t)
	if err != nil {
		return err
	}
	e.Shard, e.Offset = w.shard, w.size
	if err := w.keys.claim(&e); err != nil {
		return err
	}
	crc, err := w.encode(t.Tensor)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	e.Size, e.CRC32C = w.size-e.Offset, crc32c.Mask(crc)
	if len(w.entries) == cap(w.entries) { // append alone would leave four times as much behind
		w.entries = slices.Grow(w.entries, len(w.entries)+1)
	}
	w.entries = append(w.entries, e)
	return nil
}

// Shard returns what the index needs to know of the data file.
func (w *Writer) Shard() Shard {
	if w.err != nil {
		return Shard{Size: -1}
	}
	return Shard{Entries: w.entries, Size: w.size, CRC32C: w.crc}
}

// encode writes the bytes of t and returns the CRC its entry carries.
func (w *Writer) encode(t tensor.Tensor) (crc uint32, err error) {
	if t.DType().Size() > 0 {
		return w.emit(t.Bytes())
	}
	elems, err := t.Strings()
	if err != nil {
		return 0, err
	}
	if t.DType() == tensor.Variant {
		return w.variants(elems)
	}
	return w.strings(elems)
}

// emit writes p and returns its CRC. Bytes are hashed once: the file's CRC is
// combined from its parts'.
func (w *Writer) emit(p []byte) (crc uint32, err error) {
	total := int64(len(p))
	for len(p) > 0 {
		n := min(len(p), pieceSize)
		m, err := w.write(p[:n])
		if err == nil && m < n {
			err = io.ErrShortWrite
		}
		if err != nil {
			return 0, err
		}
		crc = w.update(crc, p[:n])
		p = p[n:]
	}
	w.crc = crc32c.Combine(w.crc, crc, total)
	w.size += total
	return crc, nil
}
