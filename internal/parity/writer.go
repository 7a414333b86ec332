package parity

import (
	"io"

	"github.com/klauspost/reedsolomon"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
)

// Writer makes the parity of data that passes by. It holds one block of parity
// and none of the data.
type Writer struct {
	w       io.Writer
	block   int
	code    reedsolomon.Encoder
	parity  []byte   // of the stripe under way; zero where nothing has passed yet
	head    []byte   // sums of its blocks
	longest int      // of its blocks
	index   int      // which block is under way
	used    int      // bytes of that
	sum     uint32   // of those
	stripe  int64    // its number
	size    int64    // of the data
	crc     uint32   // of the data
	written int64    // bytes of parity
	out     uint32   // crc of those
	err     error    // the first; nothing is written after it
	one     [][]byte // parity as the library wants it
}

// NewWriter returns a Writer of the data's parity to w.
func NewWriter(w io.Writer) *Writer { return newWriter(w, BlockSize) }

func newWriter(w io.Writer, block int) *Writer {
	p := &Writer{w: w, block: block, parity: make([]byte, block), head: make([]byte, stripeHead), one: make([][]byte, 1)}
	if p.code, p.err = newCode(); p.err != nil {
		return p
	}
	header := make([]byte, headerSize)
	geometry(header, headerMagic, block)
	seal(header)
	p.emit(header)
	return p
}

// Write takes note of data.
func (p *Writer) Write(b []byte) (int, error) {
	total := len(b)
	for len(b) > 0 && p.err == nil {
		n := min(len(b), p.block-p.used)
		p.add(b[:n])
		b = b[n:]
	}
	if p.err != nil {
		return total - len(b), p.err
	}
	return total, nil
}

// add takes a piece that lies within one block. Parity is made byte by byte,
// so that no block needs to be gathered.
func (p *Writer) add(b []byte) {
	p.one[0] = p.parity[p.used : p.used+len(b)]
	if p.err = p.code.EncodeIdx(b, p.index, p.one); p.err != nil {
		return
	}
	p.sum = crc32c.Update(p.sum, b)
	p.used += len(b)
	p.longest = max(p.longest, p.used)
	p.size += int64(len(b))
	if p.used == p.block {
		p.endBlock()
	}
}

func (p *Writer) endBlock() {
	little.PutUint32(p.head[4*p.index:], p.sum)
	p.crc = crc32c.Combine(p.crc, p.sum, int64(p.used))
	p.index, p.used, p.sum = p.index+1, 0, 0
	if p.index == DataBlocks {
		p.endStripe()
	}
}

func (p *Writer) endStripe() {
	parity := p.parity[:p.longest]
	little.PutUint32(p.head[4*DataBlocks:], crc32c.Update(0, parity))
	little.PutUint32(p.head[sumsSize:], stripeSum(p.stripe, p.head[:sumsSize]))
	p.emit(p.head)
	p.emit(parity)
	clear(p.parity)
	clear(p.head)
	p.stripe, p.index, p.longest = p.stripe+1, 0, 0
}

// emit writes to the parity file.
func (p *Writer) emit(b []byte) {
	if p.err != nil {
		return
	}
	n, err := p.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	p.written += int64(n)
	p.out = crc32c.Update(p.out, b[:n])
	p.err = err
}

// Close ends the parity. It does not close the file that it goes to.
func (p *Writer) Close() error {
	if p.used > 0 {
		p.endBlock()
	}
	if p.index > 0 {
		p.endStripe()
	}
	footer := make([]byte, footerSize)
	geometry(footer, footerMagic, p.block)
	little.PutUint64(footer[16:], uint64(p.size))
	little.PutUint32(footer[24:], p.crc)
	seal(footer)
	p.emit(footer)
	return p.err
}

// Written returns size and CRC-32C of the parity file.
func (p *Writer) Written() (size int64, crc uint32) { return p.written, p.out }
