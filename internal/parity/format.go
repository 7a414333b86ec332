// Package parity adds to a file of any size another, an eighth as large, from
// which one bad block of every eight in a row can be made again: Reed-Solomon
// with 8 blocks of data and 1 of parity in a stripe, and a CRC-32C of each.
//
// The parity file, all numbers little-endian:
//
//	header   32 bytes
//	   0  magic     "ckpt-par"
//	   8  version   1
//	   9  data      8, blocks of data in a stripe
//	  10  parity    1, blocks of parity in a stripe
//	  11  zero      1 byte
//	  12  block     size of a block, a power of two up to 1 MiB
//	  16  zero      12 bytes
//	  28  crc32c    of the 28 bytes before
//
//	stripe   for each 8 blocks of the data
//	   0  sums      crc32c of each block of data, 0 of those past its end
//	  32  sum       crc32c of the block of parity
//	  36  crc32c    of the stripe's number, as 8 bytes, and the 36 bytes before
//	  40  parity    as long as the longest block of the stripe
//
//	footer   32 bytes
//	   0  magic     "ckpt-end"
//	   8  as in the header: version, data, parity, zero, block
//	  16  size      of the data
//	  24  crc32c    of the whole data
//	  28  crc32c    of the 28 bytes before
//
// All blocks of the data are full but the last. What is true of one stripe
// says nothing about another, so that damage of the parity file itself costs
// no more than the stripes it hits; header and footer can stand in for each other.
package parity

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/reedsolomon"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
)

const (
	// DataBlocks and ParityBlocks make a stripe.
	DataBlocks   = 8
	ParityBlocks = 1
	// BlockSize is that of the files written here. A block of parity stays in
	// the processor's cache while the data passes; and what disks lose at once,
	// sectors, pages of flash and a RAID's chunks, is mostly within one.
	BlockSize = 256 << 10

	maxBlockSize = 1 << 20
	version      = 1
	headerMagic  = "ckpt-par"
	footerMagic  = "ckpt-end"
	headerSize   = 32
	footerSize   = 32
	sumsSize     = 4 * (DataBlocks + ParityBlocks)
	stripeHead   = sumsSize + 4
)

var little = binary.LittleEndian

// newCode returns the code. Its matrix for one block of parity is all ones, as
// in RAID 5: there is nothing faster.
func newCode() (reedsolomon.Encoder, error) {
	return reedsolomon.New(DataBlocks, ParityBlocks, reedsolomon.WithFastOneParityMatrix(), reedsolomon.WithMaxGoroutines(1))
}

// geometry is what header and footer both say.
func geometry(b []byte, magic string, block int) {
	copy(b, magic)
	b[8], b[9], b[10] = version, DataBlocks, ParityBlocks
	little.PutUint32(b[12:], uint32(block))
}

// seal puts the checksum of what is before it at the end of b.
func seal(b []byte) {
	end := len(b) - 4
	little.PutUint32(b[end:], crc32c.Update(0, b[:end]))
}

func sealed(b []byte) bool {
	end := len(b) - 4
	return little.Uint32(b[end:]) == crc32c.Update(0, b[:end])
}

// stripeSum is the checksum of a stripe's sums. The number in it tells a
// stripe from another that was read in its place.
func stripeSum(number int64, sums []byte) uint32 {
	return crc32c.Update(crc32c.Update(0, little.AppendUint64(nil, uint64(number))), sums)
}

// checkGeometry returns the block size of a header or footer that is whole.
func checkGeometry(b []byte, magic string) (block int64, ok bool, err error) {
	if string(b[:8]) != magic || !sealed(b) {
		return 0, false, nil
	}
	block = int64(little.Uint32(b[12:]))
	switch {
	case b[8] != version:
		return 0, false, fmt.Errorf("parity: version %d, want %d: %w", b[8], version, format.ErrUnsupported)
	case b[9] != DataBlocks || b[10] != ParityBlocks:
		return 0, false, fmt.Errorf("parity: stripes of %d blocks + %d, want %d + %d: %w", b[9], b[10], DataBlocks, ParityBlocks, format.ErrUnsupported)
	case block < 1 || block > maxBlockSize || block&(block-1) != 0:
		return 0, false, fmt.Errorf("parity: block size is %d, want a power of two up to %d: %w", block, maxBlockSize, format.ErrUnsupported)
	}
	return block, true, nil
}

// stripes returns how many stripes data of a size has.
func stripes(size, block int64) int64 {
	full := DataBlocks * block
	n := size / full
	if size%full > 0 {
		n++
	}
	return n
}

// FileSize returns the size of the parity of a file of size bytes.
func FileSize(size int64) int64 { return fileSize(size, BlockSize) }

func fileSize(size, block int64) int64 {
	if size < 0 || size > math.MaxInt64/2 {
		return -1 // which no file has
	}
	n := stripes(size, block)
	total := headerSize + n*(stripeHead+block) + footerSize
	if rest := size % (DataBlocks * block); rest > 0 && rest < block {
		total -= block - rest // the last stripe is one short block
	}
	return total
}
