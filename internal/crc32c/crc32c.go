// Package crc32c is the checksum of TensorFlow's tables, bundles and event
// files: CRC-32C (Castagnoli), stored masked, because the CRC of data that
// contains its own CRC is weak (TensorFlow: tsl/lib/hash/crc32c.h).
package crc32c

import "hash/crc32"

// piece bounds one call into the standard library's assembly, which cannot be
// preempted: a whole tensor in one call would hold up the garbage collector,
// and with it the program, for tens of milliseconds.
const piece = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Update returns the CRC of the bytes that crc stands for, followed by b. The
// CRC of no bytes is 0.
func Update(crc uint32, b []byte) uint32 {
	for len(b) > piece {
		crc = crc32.Update(crc, castagnoli, b[:piece])
		b = b[piece:]
	}
	return crc32.Update(crc, castagnoli, b)
}

// coldPiece is fetched at once: half of the fastest cache that processors have.
const coldPiece = 8 << 10

// UpdateCold is Update of bytes that are not in the processor's cache. The checksum
// alone would wait for the memory line by line: it takes 2.5 times as long.
func UpdateCold(crc uint32, b []byte) uint32 {
	for len(b) > 0 {
		n := min(len(b), coldPiece)
		fetch(b[:n])
		crc = crc32.Update(crc, castagnoli, b[:n])
		b = b[n:]
	}
	return crc
}

// fetch reads a byte of each line of the cache: a processor has many such readings
// under way at a time, for none needs the one before.
//
//go:noinline
func fetch(b []byte) (sum byte) {
	const line = 64
	for ; len(b) >= 4*line; b = b[4*line:] {
		sum += b[0] + b[line] + b[2*line] + b[3*line]
	}
	return sum
}

const maskDelta = 0xa282ead8

// Mask returns crc as files store it.
func Mask(crc uint32) uint32 { return (crc>>15 | crc<<17) + maskDelta }

// Unmask returns the CRC that a file stores as masked.
func Unmask(masked uint32) uint32 {
	rot := masked - maskDelta
	return rot>>17 | rot<<15
}
