package local

import "unsafe"

// A run is a piece of memory that goes to the disk from where it is, past the
// system's cache. It begins at a block, both in memory and in the file; what comes
// before it, and after it in its last block, goes by way of the stage.

// minRun is what is worth a write of its own for what was staged before it.
const minRun = 64 << 10

// WriteKept writes b from where it is, if it lies in memory as it does in the
// file: each byte equally far from the beginning of a block. Small files, and those
// that are written through the system's cache, it writes as Write does.
func (p *pending) WriteKept(b []byte) (int, error) {
	if p.follows(b) {
		if err := p.ready("write"); err != nil {
			return 0, err
		}
		p.run = p.run[:len(p.run)+len(b)]
		return len(b), p.sendRun(staging.size)
	}
	if err := p.endRun(); err != nil || !p.beginsRun(b) {
		return p.Write(b)
	}
	head := -p.used & (blockSize - 1)
	if n, err := p.Write(b[:head]); err != nil {
		return n, err
	}
	if err := p.sendStage(); err != nil {
		return head, err
	}
	p.run = b[head:]
	return len(b), p.sendRun(staging.size)
}

// follows reports whether b lies where the run ends, in the same memory.
func (p *pending) follows(b []byte) bool {
	end := len(p.run)
	return p.run != nil && len(b) > 0 && cap(p.run)-end >= len(b) && unsafe.SliceData(p.run[end:]) == unsafe.SliceData(b)
}

// beginsRun reports whether b lies in memory as it will in the file, whose
// blocks are the stage's.
func (p *pending) beginsRun(b []byte) bool {
	if p.stream == nil || p.d.isCached() || len(b) < minRun {
		return false
	}
	return (uintptr(unsafe.Pointer(unsafe.SliceData(b)))-uintptr(p.used))%blockSize == 0
}

// sendStage writes what is staged, whole blocks.
func (p *pending) sendStage() error {
	if p.used == 0 {
		return p.ready("write")
	}
	return p.putStage()
}

// sendRun writes as much of the run as is a multiple of size.
func (p *pending) sendRun(size int) error {
	for len(p.run) >= size {
		n := min(len(p.run)&^(size-1), staging.size)
		if err := p.stream.lend(p.run[:n], p.off); err != nil {
			return p.fail("write", writtenBefore(err, p.off))
		}
		p.off, p.run = p.off+int64(n), p.run[n:]
	}
	return nil
}

// endRun writes the rest of the run. What is no whole block is staged.
func (p *pending) endRun() error {
	if p.run == nil {
		return nil
	}
	err := p.sendRun(blockSize)
	p.used, p.run = copy(p.stage, p.run), nil
	return err
}
