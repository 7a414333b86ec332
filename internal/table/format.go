// Package table reads and writes TensorFlow's immutable sorted table, LevelDB's
// format with TensorFlow's options (TensorFlow: table::Table, TableBuilder, in
// tsl/lib/io). V2 checkpoints keep their index in one, V1 checkpoints the
// tensors themselves.
//
//	file    := data block, trailer            one per 256 KiB of entries
//	           …
//	           metaindex block, trailer       always empty
//	           index block, trailer           one entry per data block
//	           footer
//	block   := entry … | restart … uint32 LE | number of restarts uint32 LE
//	entry   := shared varint | unshared varint | value length varint |
//	           unshared bytes of the key | value
//	trailer := type byte, 0 raw or 1 Snappy | masked CRC-32C, uint32 LE, of
//	           the block as stored and the type byte
//	footer  := metaindex handle | index handle | zeros up to 40 bytes |
//	           magic, 8 bytes LE
//	handle  := offset varint | size varint, without the trailer
//
// "shared" counts the leading bytes a key has in common with the one before;
// it is 0 at a restart, which comes every 16 entries, and in the index block
// at each. The index block maps a key that is not below the last of its data
// block, and below the first of the next, to that block's handle.
package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	blockSize       = 256 << 10 // TensorFlow's, where LevelDB has 4 KiB
	restartInterval = 16
	trailerSize     = 5
	maxBlock        = min(math.MaxInt-trailerSize, 1<<33) // restarts and lengths have 32 bits: no block gets there
	handlesSize     = 40
	footerSize      = handlesSize + 8
	magic           = 0xdb4775248b80fb57
)

// How a block is stored: the first byte of its trailer.
const (
	Raw    = 0
	Snappy = 1
)

// Handle says where a block lies; Size leaves the five bytes of the trailer out.
type Handle struct{ Offset, Size int64 }

var errHandle = errors.New("bad block handle")

func appendHandle(b []byte, h Handle) []byte {
	b = binary.AppendUvarint(b, uint64(h.Offset))
	return binary.AppendUvarint(b, uint64(h.Size))
}

func appendFooter(b []byte, meta, index Handle) []byte {
	end := len(b) + handlesSize
	b = appendHandle(appendHandle(b, meta), index)
	b = append(b, make([]byte, end-len(b))...)
	return binary.LittleEndian.AppendUint64(b, magic)
}

// parseHandle takes a handle off the front of b. The block and its trailer
// must end by limit, so that a handle is safe to allocate by.
func parseHandle(b []byte, limit int64) (h Handle, rest []byte, err error) {
	offset, n := binary.Uvarint(b)
	if n <= 0 {
		return h, nil, errHandle
	}
	size, m := binary.Uvarint(b[n:])
	if m <= 0 {
		return h, nil, errHandle
	}
	end := limit - trailerSize
	if end < 0 || offset > uint64(end) || size > uint64(end)-offset {
		return h, nil, fmt.Errorf("%w: %d bytes at byte %d, but blocks end at byte %d", errHandle, size, offset, limit)
	}
	if size > maxBlock {
		return h, nil, fmt.Errorf("%w: %d bytes at byte %d are too many for a block", errHandle, size, offset)
	}
	return Handle{int64(offset), int64(size)}, b[n+m:], nil
}
