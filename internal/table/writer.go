package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
)

// Writer writes a table, byte for byte as TensorFlow does without
// compression. (TensorFlow: TableBuilder)
type Writer struct {
	w       io.Writer
	offset  int64
	data    builder
	index   builder
	last    []byte // key of the latest entry
	entries int
	flushed Handle // data block that awaits its entry in the index block
	waiting bool
	err     error // the first; nothing is written after it
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, data: newBuilder(restartInterval), index: newBuilder(1)}
}

var errClosed = errors.New("table: add after close")

// Add appends an entry. Keys must rise; the first may be empty.
func (w *Writer) Add(key, value []byte) error {
	if w.err != nil {
		return w.err
	}
	if w.entries > 0 && bytes.Compare(key, w.last) <= 0 {
		w.err = fmt.Errorf("table: key %q is not above %q", key, w.last)
		return w.err
	}
	// LevelDB does not have this rule (tsl/lib/io/table_builder.cc): a large
	// entry, as in V1 checkpoints, gets a block to itself.
	if w.entries > 0 && len(key)+len(value) >= 2*blockSize {
		w.flush()
	}
	if w.waiting {
		w.addIndex(separator(w.last, key))
	}
	w.data.add(key, value)
	w.last = append(w.last[:0], key...)
	w.entries++
	if w.data.size() >= blockSize {
		w.flush()
	}
	return w.err
}

// Close writes what Add did not, the index and the footer. It does not close
// the underlying writer.
func (w *Writer) Close() error {
	w.flush()
	meta := newBuilder(restartInterval)
	metaAt := w.block(&meta)
	if w.waiting {
		w.addIndex(successor(w.last))
	}
	w.write(appendFooter(nil, metaAt, w.block(&w.index)))
	err := w.err
	if err == nil {
		w.err = errClosed
	}
	return err
}

// flush writes the data block, if it has entries.
func (w *Writer) flush() {
	if len(w.data.buf) == 0 {
		return
	}
	w.flushed, w.waiting = w.block(&w.data), true
}

// addIndex adds the data block just written to the index block. That waits
// for the next key: the shortest key between the two then stands in the index.
func (w *Writer) addIndex(key []byte) {
	w.index.add(key, appendHandle(nil, w.flushed))
	w.waiting = false
}

// block writes what b has built, and its trailer, and empties b.
func (w *Writer) block(b *builder) Handle {
	stored := b.finish()
	h := Handle{w.offset, int64(len(stored))}
	stored = append(stored, Raw)
	stored = binary.LittleEndian.AppendUint32(stored, crc32c.Mask(crc32c.Update(0, stored)))
	w.write(stored)
	b.reset()
	return h
}

func (w *Writer) write(p []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(p)
	w.offset += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.err = err
}

// separator returns a short key k with last <= k < next. Only the first byte
// that differs is looked at, as in TensorFlow (tsl/lib/io/table_builder.cc).
func separator(last, next []byte) []byte {
	i := 0
	for i < len(last) && i < len(next) && last[i] == next[i] {
		i++
	}
	if i == len(last) || i == len(next) || last[i] == 0xff || last[i]+1 >= next[i] {
		return last
	}
	k := bytes.Clone(last[:i+1])
	k[i]++
	return k
}

// successor returns a short key that is not below last.
func successor(last []byte) []byte {
	for i, c := range last {
		if c != 0xff {
			k := bytes.Clone(last[:i+1])
			k[i]++
			return k
		}
	}
	return last
}
