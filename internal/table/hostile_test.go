package table_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/klauspost/compress/snappy"
)

func TestSnappyBlocksAreRead(t *testing.T) {
	var c crafted
	value := strings.Repeat("v", 1000)
	c.block("a", table.Snappy, snappy.Encode(nil, content(entry(0, "a", value))))
	c.block("b", table.Raw, content(entry(0, "b", "w")))
	all, err := list(c.bytes())
	if err != nil || len(all) != 2 || all[0][1] != value {
		t.Errorf("list = %.40q, %v", all, err)
	}
}

// A copy at offset 0 repeats the last offset in S2; in Snappy it is an error.
func TestS2BlocksAreNotSnappy(t *testing.T) {
	want := content(entry(0, "a", strings.Repeat("v", 100)))
	block := append([]byte{byte(len(want)), 4 << 2}, want[:5]...)
	block = append(block, 59<<2|2, 1, 0) // 60 more v
	repeat := append(bytes.Clone(block), 0<<2|1, 0, 34<<2|2, 1, 0, 7<<2)
	_, err := list(oneBlock("a", table.Snappy, append(repeat, want[len(want)-8:]...)))
	wantCorrupt(t, err, "corrupted compressed block contents")

	offset := append(bytes.Clone(block), 0<<2|1, 1, 34<<2|2, 1, 0, 7<<2)
	if _, err := list(oneBlock("a", table.Snappy, append(offset, want[len(want)-8:]...))); err != nil {
		t.Errorf("the same without repeating: %v", err)
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	file := unhex(t, halfPlusTwo)
	for n := range file {
		if all, err := list(file[:n]); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%d of %d bytes: %q, %v", n, len(file), all, err)
		}
	}
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	file := unhex(t, halfPlusTwo)
	for i := range 8 * len(file) {
		bad := slices.Clone(file)
		bad[i/8] ^= 1 << (i % 8)
		if got, err := list(bad); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("bit %d flipped: %q, %v", i, got, err)
		}
	}
}

func TestDamagedTablesAreDescribed(t *testing.T) {
	huge := string(binary.AppendUvarint(binary.AppendUvarint(nil, 0), 1<<60))
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "too short to be an sstable", nil},
		{"text", "bad magic number", bytes.Repeat([]byte("x"), 99)},
		{"index of 2^60 bytes", "bad block handle: 1152921504606846976 bytes at byte 0", indexAt(huge)},
		{"no handle", "bad block handle", new(crafted).footer(strings.Repeat("\x80", 40), "")},
		{"block of 2^60 bytes", "bad block handle", pointing(huge)},
		{"unknown type", "bad block type 2", oneBlock("a", 2, content())},
		{"short block", "bad block contents", oneBlock("a", 0, []byte{1, 0, 0})},
		{"restarts", "bad block contents", oneBlock("a", 0, []byte{0, 0, 0, 0, 2, 0, 0, 0})},
		{"shared too long", "bad entry in block", oneBlock("a", 0, content(entry(1, "a", "")))},
		{"value too long", "bad entry in block", oneBlock("a", 0, content([]byte{0, 0, 100}))},
		{"varint cut", "bad entry in block", oneBlock("a", 0, content([]byte{0x80}))},
		{"out of order", "keys out of order", oneBlock("z", 0, content(entry(0, "b", ""), entry(0, "a", "")))},
		{"twice", "keys out of order", oneBlock("z", 0, content(entry(0, "b", ""), entry(1, "", "")))},
		{"beyond its index key", "does not belong", oneBlock("a", 0, content(entry(0, "b", "")))},
		{"not snappy", "corrupted compressed block contents", oneBlock("a", 1, []byte("\x05abc"))},
		{"snappy bomb", "cannot hold 1073741824", oneBlock("a", 1, []byte("\x80\x80\x80\x80\x04abc"))},
	} {
		_, err := list(c.file)
		t.Run(c.name, func(t *testing.T) { wantCorrupt(t, err, c.want) })
	}
}

// A file with a hole is as large as it says, and vouches for no block.
func TestABlockLargerThanAnyIsRefused(t *testing.T) {
	const size = 1 << 61
	huge := string(binary.AppendUvarint(binary.AppendUvarint(nil, 0), 1<<60))
	tail := new(crafted).footer(huge, huge)
	_, err := table.NewReader(hole{size - int64(len(tail)), tail}, size, "index")
	wantCorrupt(t, err, "too many for a block")
}

// hole is a file of nothing up to its tail.
type hole struct {
	size int64
	tail []byte
}

func (h hole) ReadAt(p []byte, at int64) (int, error) {
	if at < h.size {
		return 0, io.ErrUnexpectedEOF
	}
	return copy(p, h.tail[at-h.size:]), nil
}

func oneBlock(last string, kind byte, stored []byte) []byte {
	var c crafted
	c.block(last, kind, stored)
	return c.bytes()
}

// indexAt is a table whose footer gives that handle for the index block.
func indexAt(handle string) []byte {
	var c crafted
	return c.footer(c.write(table.Raw, content()), handle)
}

func pointing(handle string) []byte {
	var c crafted
	c.point("a", handle)
	return c.bytes()
}

func TestDataBlocksMayNotOverlap(t *testing.T) {
	var c crafted
	c.block("a", table.Raw, content(entry(0, "a", "")))
	c.point("b", string([]byte{0, 12}))
	_, err := list(c.bytes())
	wantCorrupt(t, err, "data blocks overlap")
}

func TestKeysMayNotExpandWithoutBound(t *testing.T) {
	entries := [][]byte{entry(0, strings.Repeat("k", 100_000), "")}
	for i := range 10_000 {
		entries = append(entries, entry(100_000, string([]byte{byte(i >> 8), byte(i)}), ""))
	}
	if _, err := list(oneBlock("l", 0, content(entries[:16]...))); err != nil {
		t.Errorf("16 entries: %v", err)
	}
	_, err := list(oneBlock("l", 0, content(entries...)))
	wantCorrupt(t, err, "share more than restarts allow")
}

// failing is a file on a disk that fails.
type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestAnIOErrorIsNotCorruption(t *testing.T) {
	_, err := table.NewReader(failing{fs.ErrPermission}, 1000, "index")
	if !errors.Is(err, fs.ErrPermission) || errors.Is(err, format.ErrCorrupt) {
		t.Errorf("NewReader = %v, want fs.ErrPermission", err)
	}
	_, err = table.NewReader(failing{io.EOF}, 1000, "index")
	wantCorrupt(t, err, "index at byte 952 (48 bytes): truncated block read")
}

func FuzzTable(f *testing.F) {
	f.Add(unhex(f, halfPlusTwo))
	f.Add(build(f, [][2]string{{"", "h"}, {"model/a", "1"}, {"model/b", strings.Repeat("v", 1<<18)}, {"model/c", ""}}))
	f.Add(oneBlock("b", 1, snappy.Encode(nil, content(entry(0, "a", strings.Repeat("v", 1000)), entry(1, "a", "x")))))
	f.Fuzz(func(t *testing.T, file []byte) {
		all, err := list(file)
		if err != nil {
			if !errors.Is(err, format.ErrCorrupt) {
				t.Errorf("error is %v, want a *format.CorruptError", err)
			}
			return
		}
		total := 0
		for _, e := range all {
			total += len(e[0]) + len(e[1])
		}
		if limit := 16 * 22 * len(file); total > limit {
			t.Errorf("%d bytes from a file of %d", total, len(file))
		}
		if again, err := list(build(t, all)); err != nil || !slices.Equal(all, again) {
			t.Errorf("rewritten, reads %q, %v, want %q", again, err, all)
		}
	})
}
