package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/klauspost/compress/snappy"
)

// Reader reads a table. It is safe for use by several goroutines as far as
// its io.ReaderAt is. (TensorFlow: table::Table)
type Reader struct {
	r           io.ReaderAt
	size        int64
	part        string
	meta, index Handle
	blocks      []indexEntry
	cache       cache
}

// indexEntry is a data block: no key in it is above last.
type indexEntry struct {
	last   []byte
	handle Handle
}

// NewReader reads the footer and the index block of the table in the first
// size bytes of r. Damage, here and later, is a *format.CorruptError of part.
func NewReader(r io.ReaderAt, size int64, part string) (*Reader, error) {
	t := &Reader{r: r, size: size, part: part}
	if err := t.readFooter(); err != nil {
		return nil, err
	}
	// Nobody needs what is in the metaindex block. It is read because nothing
	// else vouches for its handle: so no byte of a table is without a checksum.
	if _, err := t.Block(t.meta); err != nil {
		return nil, err
	}
	if err := t.readIndex(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Reader) readFooter() error {
	if t.size < footerSize {
		return corrupt(t.part, Handle{0, t.size}, errors.New("file is too short to be an sstable"))
	}
	at := Handle{t.size - footerSize, footerSize}
	footer := make([]byte, footerSize)
	if err := readFull(t.r, footer, at, t.part); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(footer[handlesSize:]) != magic {
		return corrupt(t.part, at, errors.New("not an sstable (bad magic number)"))
	}
	meta, rest, err := parseHandle(footer[:handlesSize], at.Offset)
	if err == nil {
		t.meta = meta
		t.index, _, err = parseHandle(rest, at.Offset)
	}
	if err == nil && !bytes.Equal(appendFooter(nil, t.meta, t.index), footer) {
		err = errFooter
	}
	if err != nil {
		return corrupt(t.part, at, err)
	}
	return nil
}

// readIndex decodes the index block. Data blocks must follow each other: were
// two entries to share one, a small file could make a reader go through the
// same bytes a million times.
func (t *Reader) readIndex() error {
	index, err := t.Block(t.index)
	if err != nil {
		return err
	}
	end := int64(0)
	for e, err := range index.Entries() {
		if err != nil {
			return err
		}
		h, _, err := parseHandle(e.Value, t.size-footerSize)
		if err == nil && h.Offset < end {
			err = fmt.Errorf("%w: data blocks overlap at byte %d", errHandle, h.Offset)
		}
		if err != nil {
			return corrupt(t.part, t.index, err)
		}
		end = h.Offset + h.Size + trailerSize
		t.blocks = append(t.blocks, indexEntry{slices.Clone(e.Key), h})
	}
	return nil
}

// Block reads, verifies and decompresses the block at h, which must come from
// this Reader.
func (t *Reader) Block(h Handle) (Block, error) {
	stored := make([]byte, h.Size+trailerSize)
	if err := readFull(t.r, stored, h, t.part); err != nil {
		return Block{}, err
	}
	crc := crc32c.Update(0, stored[:h.Size+1])
	if want := crc32c.Unmask(binary.LittleEndian.Uint32(stored[h.Size+1:])); crc != want {
		return Block{}, corrupt(t.part, h, fmt.Errorf("block checksum mismatch: crc32c is %08x, trailer says %08x", crc, want))
	}
	b := Block{Handle: h, Type: stored[h.Size], CRC32C: crc, part: t.part}
	var err error
	if b.content, err = decompress(b.Type, stored[:h.Size]); err != nil {
		return Block{}, corrupt(t.part, h, err)
	}
	return b, nil
}

// errFooter is of a footer that could be read but never written: no checksum
// is in it, so that this is how a flipped bit of its padding shows.
var errFooter = errors.New("bad block handle: padded with other than zeros")

// maxExpansion is what Snappy can make of its input: three bytes copy up to 64.
const maxExpansion = 22

func decompress(kind byte, stored []byte) ([]byte, error) {
	switch kind {
	case Raw:
		return stored, nil
	case Snappy:
		n, err := snappy.DecodedLen(stored)
		if err == nil && int64(n) > maxExpansion*int64(len(stored)) {
			err = fmt.Errorf("%d bytes cannot hold %d", len(stored), n)
		}
		content := []byte(nil)
		if err == nil {
			// Decode would accept S2's extensions, which TensorFlow does not.
			content, err = snappy.DecodeStrict(nil, stored)
		}
		if err != nil {
			return nil, fmt.Errorf("corrupted compressed block contents: %w", err)
		}
		return content, nil
	}
	return nil, fmt.Errorf("bad block type %d", kind)
}

// Handles returns where the blocks lie: those of data in order, the metaindex
// block, which nobody reads, and the index block.
func (t *Reader) Handles() (data []Handle, meta, index Handle) {
	for _, b := range t.blocks {
		data = append(data, b.handle)
	}
	return data, t.meta, t.index
}

// find returns the number of the first data block that may hold keys >= key.
func (t *Reader) find(key []byte) int {
	return sort.Search(len(t.blocks), func(i int) bool { return bytes.Compare(t.blocks[i].last, key) >= 0 })
}

// readFull fills p from the start of h. A file that ends early is corrupt;
// any other error is the file's own.
func readFull(r io.ReaderAt, p []byte, h Handle, part string) error {
	n, err := r.ReadAt(p, h.Offset)
	switch {
	case n == len(p):
		return nil
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return corrupt(part, h, errors.New("truncated block read"))
	}
	return fmt.Errorf("%s at byte %d: %w", part, h.Offset, err)
}

func corrupt(part string, h Handle, err error) error {
	return &format.CorruptError{Part: part, Offset: h.Offset, Length: h.Size, Reason: err.Error()}
}
