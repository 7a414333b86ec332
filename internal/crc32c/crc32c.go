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

const maskDelta = 0xa282ead8

// Mask returns crc as files store it.
func Mask(crc uint32) uint32 { return (crc>>15 | crc<<17) + maskDelta }

// Unmask returns the CRC that a file stores as masked.
func Unmask(masked uint32) uint32 {
	rot := masked - maskDelta
	return rot>>17 | rot<<15
}
