package tensorbundle

import (
	"bufio"
	"io"

	"github.com/ckpt-dev/ckpt/tensor"
)

// fill reads want, a region of a tensor of fixed-size elements, into dst.
func (r *Reader) fill(d tensor.DType, pieces []piece, want tensor.Slice, dst []byte) error {
	for _, p := range pieces {
		if err := p.copy(want, dst, int64(d.Size())); err != nil {
			return err
		}
	}
	if r.bigEndian() {
		tensor.SwapBytes(d, dst)
	}
	return nil
}

// copy reads what p has of want. All of p is read, to verify its checksum.
func (p piece) copy(want tensor.Slice, dst []byte, elem int64) error {
	if p.region.Equal(want) {
		return p.readAll(func(at int64, part *section) error {
			return part.readFull(dst[at : at+part.end-part.pos])
		})
	}
	in := bufio.NewReaderSize(p.section, int(min(p.entry.Size, 64<<10)))
	pos := int64(0)
	var err error
	tensor.Runs(want, p.region, func(to, from, n int64) {
		if err != nil {
			return
		}
		if err = skip(in, from*elem-pos); err == nil {
			_, err = io.ReadFull(in, dst[to*elem:(to+n)*elem])
		}
		pos = (from + n) * elem
	})
	if err == nil {
		err = skip(in, p.entry.Size-pos)
	}
	if err != nil {
		return err
	}
	return p.done(p.crc)
}

// skip discards n bytes, of which there may be more than an int counts.
func skip(r *bufio.Reader, n int64) error {
	for n > 0 {
		m, err := r.Discard(int(min(n, 1<<30)))
		if err != nil {
			return err
		}
		n -= int64(m)
	}
	return nil
}
