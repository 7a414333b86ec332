package tensorbundle

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/tensor"
)

// decoder goes through the elements of a framed entry, forward.
type decoder interface {
	// next reads an element; keep tells whether the caller wants it.
	next(keep bool) (string, error)
	// sum returns the entry's CRC once all elements have been read.
	sum() (uint32, error)
}

// elements reads what p has of the region want into dst, want's elements. All
// of p is read, to verify its checksum. A nil dst wants none.
func (r *Reader) elements(p piece, want tensor.Slice, dst []string) error {
	n, err := p.entry.Shape.NumElements()
	if err != nil {
		return err
	}
	d, err := r.decoder(p, n)
	if err != nil {
		return err
	}
	pos := int64(0)
	advance := func(to int64) {
		for ; pos < to && err == nil; pos++ {
			_, err = d.next(false)
		}
	}
	if dst != nil {
		tensor.Runs(want, p.region, func(to, from, n int64) {
			advance(from)
			for end := to + n; to < end && err == nil; to++ {
				dst[to], err = d.next(true)
				pos++
			}
		})
	}
	if advance(n); err != nil {
		return err
	}
	crc, err := d.sum()
	if err != nil {
		return err
	}
	return p.done(crc)
}

func (r *Reader) decoder(p piece, n int64) (decoder, error) {
	switch {
	case p.entry.DType == tensor.Variant:
		return newVariantDecoder(p.section), nil
	case p.entry.Size == 0:
		return empty{}, nil // TensorFlow accepts this of a string tensor without elements
	case r.bigEndian():
		return r.stringDecoder(p, n, binary.BigEndian)
	}
	return r.stringDecoder(p, n, binary.LittleEndian)
}

func buffered(s *section) *bufio.Reader {
	return bufio.NewReaderSize(s, int(min(s.end-s.pos, 64<<10)))
}

// empty decodes no elements.
type empty struct{}

func (empty) next(bool) (string, error) { return "", io.EOF }
func (empty) sum() (uint32, error)      { return 0, nil }

// uvarint reads a length of at most most. More than that, or an end before the
// length's, is corruption of s's entry.
func uvarint(s *section, in *bufio.Reader, most int64) (int64, error) {
	n := uint64(0)
	for shift := 0; shift < 64; shift += 7 {
		c, err := in.ReadByte()
		if err != nil {
			return 0, early(s, err)
		}
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			if n > uint64(most) {
				return 0, s.corrupt("an element of %d bytes does not fit", n)
			}
			return int64(n), nil
		}
	}
	return 0, s.corrupt("an element's length is no varint")
}

// take calls f with the next n bytes, piece by piece.
func take(in *bufio.Reader, n int64, f func(p []byte)) error {
	for n > 0 {
		if _, err := in.Peek(1); err != nil {
			return err
		}
		p, err := in.Peek(int(min(n, int64(in.Buffered()))))
		if err != nil {
			return err
		}
		f(p)
		n -= int64(len(p))
		if _, err := in.Discard(len(p)); err != nil {
			return err
		}
	}
	return nil
}

// early turns the end of an entry's bytes, where more were due, into an error.
func early(s *section, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return s.corrupt("the elements run past the end")
	}
	return err
}

// stringDecoder reads the lengths and the bytes with a cursor each, so that
// neither all lengths nor all bytes are ever in memory.
type stringDecoder struct {
	*section // of the bytes
	lengths  *section
	lens     *bufio.Reader
	in       *bufio.Reader
	left     int64
}

// stringDecoder reads the lengths once, to verify that together with the bytes
// they are exactly the entry, before anything is allocated by them.
func (r *Reader) stringDecoder(p piece, n int64, order byteOrder) (*stringDecoder, error) {
	head, err := r.readLengths(p.section, n, order)
	if err != nil {
		return nil, err
	}
	lengths, body := *p.section, *p.section
	lengths.pos, lengths.end = p.entry.Offset, head.end
	body.pos, body.crc = head.end+4, head.crc
	return &stringDecoder{
		section: &body, lengths: &lengths,
		lens: buffered(&lengths), in: buffered(&body), left: head.total,
	}, nil
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// lengthsHead is what the lengths of a string tensor say.
type lengthsHead struct {
	end   int64  // where they end in the data file
	total int64  // of all of them
	crc   uint32 // with which the entry's CRC goes on at the strings' bytes
}

// readLengths reads and verifies the n lengths at the start of an entry.
// (TensorFlow: ReadStringTensor)
func (r *Reader) readLengths(s *section, n int64, order byteOrder) (h lengthsHead, err error) {
	in := buffered(s)
	crc, varints := uint32(0), int64(0)
	var tmp [binary.MaxVarintLen64]byte
	for range n {
		l, err := uvarint(s, in, s.entry.Size-h.total)
		if err != nil {
			return h, err
		}
		h.total += l
		varints += int64(len(binary.AppendUvarint(tmp[:0], uint64(l))))
		crc = crc32c.Update(crc, fixedLength(tmp[:0], uint64(l), order))
	}
	check := tmp[:4]
	if _, err := io.ReadFull(in, check); err != nil {
		return h, early(s, err)
	}
	if got := crc32c.Unmask(order.Uint32(check)); got != crc {
		return h, s.corrupt("the length checksum does not match: crc32c is %08x, file says %08x", crc, got)
	}
	if size := varints + 4 + h.total; size != s.entry.Size {
		return h, s.corrupt("the lengths say %d bytes", size)
	}
	h.end = s.entry.Offset + varints
	h.crc = crc32c.Update(crc, check)
	return h, nil
}

func (d *stringDecoder) next(keep bool) (string, error) {
	n, err := uvarint(d.lengths, d.lens, d.left)
	if err != nil {
		return "", err
	}
	d.left -= n
	if !keep {
		return "", skip(d.in, n)
	}
	var b strings.Builder
	b.Grow(int(n)) // all lengths together are no more than the entry
	err = take(d.in, n, func(p []byte) { b.Write(p) })
	return b.String(), err
}

func (d *stringDecoder) sum() (uint32, error) { return d.crc, nil }
