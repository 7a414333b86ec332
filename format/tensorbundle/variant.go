package tensorbundle

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
)

// variantDecoder reads variants as they are: serialized messages.
// (TensorFlow: ReadVariantTensor)
type variantDecoder struct {
	*section
	in      *bufio.Reader
	running uint32 // CRC of lengths, messages and checksums so far
	index   int
	scratch [8]byte
}

func newVariantDecoder(s *section) *variantDecoder {
	return &variantDecoder{section: s, in: buffered(s)}
}

// left returns how many bytes of the entry have not been decoded.
func (d *variantDecoder) left() int64 { return d.end - d.pos + int64(d.in.Buffered()) }

func (d *variantDecoder) next(keep bool) (string, error) {
	n, err := uvarint(d.section, d.in, d.left())
	if err != nil {
		return "", err
	}
	d.hash(binary.LittleEndian.AppendUint64(d.scratch[:0], uint64(n)))
	var b strings.Builder
	if keep {
		b.Grow(int(n)) // no more than the entry has
	}
	err = take(d.in, n, func(p []byte) {
		d.hash(p)
		if keep {
			b.Write(p)
		}
	})
	if err != nil {
		return "", early(d.section, err)
	}
	return b.String(), d.check()
}

// check reads the checksum that follows each element.
func (d *variantDecoder) check() error {
	p := d.scratch[:4]
	if _, err := io.ReadFull(d.in, p); err != nil {
		return early(d.section, err)
	}
	if got := crc32c.Unmask(binary.LittleEndian.Uint32(p)); got != d.running {
		return d.corrupt("the checksum after variant %d does not match: crc32c is %08x, file says %08x", d.index, d.running, got)
	}
	d.hash(p)
	d.index++
	return nil
}

func (d *variantDecoder) hash(p []byte) { d.running = crc32c.Update(d.running, p) }

func (d *variantDecoder) sum() (uint32, error) {
	if n := d.left(); n > 0 {
		return 0, d.corrupt("%d bytes are left over", n)
	}
	return d.running, nil
}
