package table

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Layout prints all blocks and entries of the table, and where they stand;
// describe tells what an entry means. Names in the file are printed quoted. A
// damaged block does not stop it, but is returned as an error at the end.
func (t *Reader) Layout(w io.Writer, describe func(key, value []byte) string) error {
	l := layout{t: t, w: bufio.NewWriter(w)}
	fmt.Fprintf(l.w, "%s: %d bytes\n", t.part, t.size)
	for _, b := range t.blocks {
		l.block("data block", b.handle, describe)
	}
	l.block("metaindex block", t.meta, describe)
	l.block("index block", t.index, t.describeHandle)
	fmt.Fprintf(l.w, "footer at byte %d: %d bytes, metaindex at byte %d, index at byte %d, magic %016x\n",
		t.size-footerSize, footerSize, t.meta.Offset, t.index.Offset, uint64(magic))
	return errors.Join(append(l.errs, l.w.Flush())...)
}

func (t *Reader) describeHandle(_, value []byte) string {
	h, _, err := parseHandle(value, t.size-footerSize)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("block at byte %d, %d bytes", h.Offset, h.Size)
}

type layout struct {
	t    *Reader
	w    *bufio.Writer // keeps the first error until it is flushed
	errs []error
}

func (l *layout) block(what string, h Handle, describe func(key, value []byte) string) {
	b, err := l.t.Block(h)
	if err != nil {
		fmt.Fprintf(l.w, "%s at byte %d: %v\n", what, h.Offset, err)
		l.errs = append(l.errs, err)
		return
	}
	kind := "raw"
	if b.Type == Snappy {
		kind = fmt.Sprintf("snappy of %d bytes", b.Len())
	}
	fmt.Fprintf(l.w, "%s at byte %d: %d bytes, %s, crc32c %08x\n", what, h.Offset, h.Size, kind, b.CRC32C)
	for e, err := range b.Entries() {
		if err != nil {
			fmt.Fprintf(l.w, "  %v\n", err)
			l.errs = append(l.errs, err)
			return
		}
		fmt.Fprintf(l.w, "  %q: %s\n", e.Key, describe(e.Key, e.Value))
	}
}
