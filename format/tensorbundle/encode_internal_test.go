package tensorbundle

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// A tensor with a string of 4 GiB is too large for a test.
func TestLongLengthsAreHashedAsEightBytes(t *testing.T) {
	for n, want := range map[uint64][]byte{
		1:         {1, 0, 0, 0},
		1<<32 - 1: {0xff, 0xff, 0xff, 0xff},
		1 << 32:   {0, 0, 0, 0, 1, 0, 0, 0},
	} {
		if got := fixedLength(nil, n, binary.LittleEndian); !bytes.Equal(got, want) {
			t.Errorf("fixedLength(%d) = %x, want %x", n, got, want)
		}
	}
}
