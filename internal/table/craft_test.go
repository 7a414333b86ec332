package table_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/internal/table"
)

// halfPlusTwo is the index of half_plus_two, a SavedModel in TensorFlow's own
// tests.
const halfPlusTwo = `
	00 00 06  08 01 1a 02 08 01
	00 01 0b  61  08 01 12 00 28 04 35 06 38 27 1f
	00 01 0d  62  08 01 12 00 20 04 28 04 35 10 fd 78 4f
	00 01 0d  63  08 01 12 00 20 08 28 04 35 ef d6 82 c3
	00 00 00 00  01 00 00 00   00 e4 15 b6 bc
	00 00 00 00  01 00 00 00   00 c0 f2 a1 b0
	00 01 02 64 00 42  00 00 00 00 01 00 00 00  00 58 b2 e9 f7
	47 08 54 0e  000000000000000000000000000000000000000000000000000000000000000000000000
	57 fb 80 8b 24 75 47 db`

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// crafted builds tables that the Writer would not.
type crafted struct {
	file, index []byte
}

// entry is one entry as a block stores it.
func entry(shared int, unshared, value string) []byte {
	b := binary.AppendUvarint(nil, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(unshared)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(append(b, unshared...), value...)
}

// content is a block of entries with one restart.
func content(entries ...[]byte) []byte {
	return append(bytes.Join(entries, nil), 0, 0, 0, 0, 1, 0, 0, 0)
}

func (c *crafted) write(kind byte, stored []byte) (handle string) {
	h := binary.AppendUvarint(nil, uint64(len(c.file)))
	h = binary.AppendUvarint(h, uint64(len(stored)))
	stored = append(bytes.Clone(stored), kind)
	c.file = append(c.file, stored...)
	c.file = binary.LittleEndian.AppendUint32(c.file, crc32c.Mask(crc32c.Update(0, stored)))
	return string(h)
}

// block adds a data block whose keys the index says end at last.
func (c *crafted) block(last string, kind byte, stored []byte) {
	c.point(last, c.write(kind, stored))
}

// point adds an entry to the index block.
func (c *crafted) point(last, handle string) { c.index = append(c.index, entry(0, last, handle)...) }

func (c *crafted) bytes() []byte {
	meta := c.write(table.Raw, content())
	return c.footer(meta, c.write(table.Raw, content(c.index)))
}

func (c *crafted) footer(meta, index string) []byte {
	footer := make([]byte, 40)
	copy(footer, meta+index)
	return append(append(c.file, footer...), "\x57\xfb\x80\x8b\x24\x75\x47\xdb"...)
}

// list returns all keys and values of a table.
func list(file []byte) (all [][2]string, err error) {
	r, err := table.NewReader(bytes.NewReader(file), int64(len(file)), "index")
	if err != nil {
		return nil, err
	}
	for e, err := range r.All() {
		if err != nil {
			return nil, err
		}
		all = append(all, [2]string{string(e.Key), string(e.Value)})
	}
	return all, nil
}

func wantCorrupt(t testing.TB, err error, sentence string) {
	t.Helper()
	var corrupt *format.CorruptError
	if !errors.As(err, &corrupt) {
		t.Errorf("error is %v, want a *format.CorruptError", err)
	} else if !strings.Contains(err.Error(), sentence) {
		t.Errorf("error is %q, want %q in it", err, sentence)
	}
}
