package local

import (
	"errors"
	"sync"
	"syscall"
)

const (
	stageSize = 256 << 10 // small pieces are gathered to this before a write
	maxWrite  = 8 << 20   // a larger piece is written in steps, to see the context end
	maxCopy   = 1 << 20   // a larger one would keep the collector waiting: copying is not interrupted
)

var stages = sync.Pool{New: func() any { return new([stageSize]byte) }}

func (p *pending) Write(b []byte) (int, error) {
	if p.shared {
		return 0, p.refuse()
	}
	if len(b) == 0 {
		return 0, p.ready("write")
	}
	if err := p.endRun(); err != nil {
		return 0, err
	}
	for written := 0; ; {
		if err := p.ready("write"); err != nil {
			return written, err
		}
		n, err := p.writeSome(b[written:])
		if err != nil {
			return written, err
		}
		if written += n; written == len(b) {
			return written, nil
		}
	}
}

// writeSome takes the beginning of b: by way of the stage, which grows when the
// file turns out to be large, or, where that has no use, a large piece straight
// from where it is.
func (p *pending) writeSome(b []byte) (int, error) {
	if p.used == 0 && len(b) >= stageSize && p.stream == nil && p.d.isCached() {
		b = b[:min(len(b), maxWrite)]
		return len(b), p.writeOut(b)
	}
	if p.stage == nil {
		p.small = stages.Get().(*[stageSize]byte)
		p.stage = p.small[:]
	}
	if p.used == len(p.stage) {
		if err := p.makeRoom(); err != nil {
			return 0, err
		}
	}
	n := copy(p.stage[p.used:], b[:min(len(b), maxCopy)])
	p.used += n
	return n, nil
}

// makeRoom empties the stage, or replaces it by a larger one.
func (p *pending) makeRoom() error {
	if p.stream == nil && p.becomeStream() {
		return nil
	}
	if p.stream == nil {
		return p.writeStage()
	}
	return p.putStage()
}

// putStage lets the stream write what is staged, and has an empty stage then.
func (p *pending) putStage() (err error) {
	full := p.stage[:p.used]
	p.stage = nil
	if p.stage, err = p.stream.put(full, p.off); err != nil {
		return p.fail("write", writtenBefore(err, p.off))
	}
	p.off, p.used = p.off+int64(len(full)), 0
	return nil
}

// becomeStream moves what is staged to a buffer of the ring.
func (p *pending) becomeStream() bool {
	if p.d.isCached() {
		return false
	}
	s, b := p.d.newStream(p.f, p.temp)
	p.wait(s == nil)
	if s == nil {
		return false
	}
	copy(b, p.stage[:p.used])
	p.stream, p.stage = s, b
	p.dropSmall()
	return true
}

// wait notes whether p waits for a buffer.
func (p *pending) wait(does bool) {
	if does == p.hungry {
		return
	}
	p.hungry = does
	if does {
		staging.hungry.Add(1)
	} else {
		staging.hungry.Add(-1)
	}
}

func (p *pending) dropSmall() {
	if p.small != nil {
		stages.Put(p.small)
		p.small = nil
	}
}

func (p *pending) writeStage() error {
	staged := p.used
	p.used = 0
	return p.writeOut(p.stage[:staged])
}

func (p *pending) writeOut(b []byte) error {
	n, err := p.f.WriteAt(b, p.off)
	p.off += int64(n)
	return p.fail("write", writtenBefore(err, p.off))
}

// writeLast writes what is staged. A stream ends at a block, and the file where
// its bytes do.
func (p *pending) writeLast() error {
	if p.stream == nil {
		if p.used == 0 {
			return nil
		}
		return p.writeStage()
	}
	if err := p.endRun(); err != nil {
		return err
	}
	err := p.stream.end(p.stage, p.used, p.off)
	if err := p.fail("write", writtenBefore(err, p.off)); err != nil {
		return err
	}
	p.off, p.used = p.off+int64(p.used), 0
	return p.fail("truncate", p.f.Truncate(p.off))
}

// writtenBefore adds to the error of a place that is full how much there was
// room for: so much, and more, is missing.
func writtenBefore(err error, n int64) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, full) {
			return because(cause(err), "%v, after %d bytes of this file", cause(err), n)
		}
	}
	return err
}
