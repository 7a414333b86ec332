package crc32c_test

import (
	"hash/crc32"
	"math"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"pgregory.net/rapid"
)

// The vectors of RFC 3720, B.4, and of TensorFlow's crc32c_test.cc.
func TestUpdateGivesThePublishedVectors(t *testing.T) {
	ramp := make([]byte, 32)
	for i := range ramp {
		ramp[i] = byte(i)
	}
	for _, c := range []struct {
		in   []byte
		want uint32
	}{
		{nil, 0},
		{[]byte("123456789"), 0xe3069283},
		{make([]byte, 32), 0x8a9136aa},
		{ramp, 0x46dd794e},
	} {
		if got := crc32c.Update(0, c.in); got != c.want {
			t.Errorf("Update(0, %x) = %08x, want %08x", c.in, got, c.want)
		}
	}
}

func TestUpdateInPiecesEqualsOnePass(t *testing.T) {
	b := make([]byte, 1<<20+17)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	for name, update := range map[string]func(uint32, []byte) uint32{"Update": crc32c.Update, "UpdateCold": crc32c.UpdateCold} {
		for _, n := range []int{0, 1, 255, 256, 8 << 10, 8<<10 + 257, len(b)} {
			if got, want := update(7, b[:n]), crc32.Update(7, castagnoli, b[:n]); got != want {
				t.Errorf("%s(7, %d bytes) = %08x, want %08x", name, n, got, want)
			}
		}
	}
}

func TestMaskAndUnmaskUndoEachOther(t *testing.T) {
	if got := crc32c.Mask(0); got != 0xa282ead8 {
		t.Errorf("Mask(0) = %08x, want a282ead8", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		crc := rapid.Uint32().Draw(t, "crc")
		if got := crc32c.Unmask(crc32c.Mask(crc)); got != crc {
			t.Fatalf("Unmask(Mask(%08x)) = %08x", crc, got)
		}
	})
}

func TestCombineEqualsHashingTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOf(rapid.Byte()).Draw(t, "a")
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		got := crc32c.Combine(crc32c.Update(0, a), crc32c.Update(0, b), int64(len(b)))
		if want := crc32c.Update(0, append(a, b...)); got != want {
			t.Fatalf("Combine(%x, %x) = %08x, want %08x", a, b, got, want)
		}
	})
}

// Lengths no test can hash: appending n zero bytes k times is appending nk.
func TestCombineHoldsForLongLengths(t *testing.T) {
	const crc = 0x12345678
	for _, n := range []int64{1 << 28, 1 << 31, 1<<32 + 5, 1 << 40, math.MaxInt64 / 2} {
		twice := crc32c.Combine(crc32c.Combine(crc, 0, n), 0, n)
		if got := crc32c.Combine(crc, 0, 2*n); got != twice {
			t.Errorf("Combine(crc, 0, 2*%d) = %08x, want %08x", n, got, twice)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	data := make([]byte, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		crc32c.Update(0, data)
	}
}

func BenchmarkCombine(b *testing.B) {
	for b.Loop() {
		crc32c.Combine(1, 2, 4<<20)
	}
}
