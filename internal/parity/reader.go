package parity

import (
	"io"
	"sync"
)

// Reader reads data as Repair would write it, so that one can look at it before
// anything is written. Blocks that are lost are as they are. It may be used by
// several goroutines.
type Reader struct {
	mu sync.Mutex
	r  *repairer
	s  *stripe // the last one read; nil: none
}

// NewReader returns a Reader of data by its parity. Its errors and want are
// as Repair's.
func NewReader(data, parity File, want *Want) (*Reader, error) {
	r := &repairer{data: data, parity: parity, out: io.Discard}
	if err := r.open(want); err != nil {
		return nil, err
	}
	return &Reader{r: r}, nil
}

// Size returns the size of the data as it was.
func (p *Reader) Size() int64 { return p.r.report.Size }

// ReadAt reads as io.ReaderAt does.
func (p *Reader) ReadAt(b []byte, off int64) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(b) && off+int64(n) < p.Size() {
		piece, err := p.at(off + int64(n))
		if err != nil {
			return n, err
		}
		n += copy(b[n:], piece)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// at returns the bytes of a block from an offset on.
func (p *Reader) at(off int64) ([]byte, error) {
	number := off / (DataBlocks * p.r.block)
	if p.s == nil || p.s.start != number*DataBlocks*p.r.block {
		p.s = nil
		s, err := p.r.stripe(number)
		if err != nil {
			return nil, err
		}
		p.s = s
	}
	within := off - p.s.start
	return p.s.data(int(within / p.r.block))[within%p.r.block:], nil
}
