package tensorbundle

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/ckpt-dev/ckpt/internal/crc32c"
)

const (
	readSize  = 2 << 20  // how much a file is asked for at once: fewer bytes make a disk slower
	splitSize = 16 << 20 // what one reader takes of a large tensor
	splitAt   = 2 * splitSize
	splitters = 8 // readers of one tensor: while some hash, a disk has others to serve
	scanSize  = readSize
)

// scans are what tensors are read to that nobody wants to have.
var scans = sync.Pool{New: func() any { return new([scanSize]byte) }}

// evenStep returns how many of n bytes to ask for first, so that there is no small
// rest, which storage would treat as such.
func evenStep(n int) int {
	steps := (n + readSize - 1) / readSize
	if steps <= 1 {
		return n
	}
	return (n + steps - 1) / steps
}

// readAll reads all of s with into, which gets the bytes' place in the entry and
// a section of them. A large one is read by several, and the checksums of what
// they have read are put together.
func (s *section) readAll(into func(at int64, part *section) error) error {
	size := s.end - s.pos
	if size < splitAt {
		if err := into(0, s); err != nil {
			return err
		}
		return s.done(s.crc)
	}
	parts := make([]section, (size+splitSize-1)/splitSize)
	for i := range parts {
		at := int64(i) * splitSize
		parts[i] = *s
		parts[i].pos, parts[i].end = s.pos+at, s.pos+min(size, at+splitSize)
	}
	if err := together(len(parts), func(i int) error { return into(int64(i)*splitSize, &parts[i]) }); err != nil {
		return err
	}
	crc := parts[0].crc
	for i := 1; i < len(parts); i++ {
		crc = crc32c.Combine(crc, parts[i].crc, min(splitSize, size-int64(i)*splitSize))
	}
	return s.done(crc)
}

// together calls do for 0 to n-1 by several goroutines, in order, and no more
// after a failure. Its error is that of the first of them.
func together(n int, do func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, n)
	var readers sync.WaitGroup
	for range splitters {
		readers.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[i] = do(i); errs[i] != nil { // what was taken is read to its end
					failed.Store(true)
				}
			}
		})
	}
	readers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// discard reads s to its end.
func (s *section) discard() error {
	buf := scans.Get().(*[scanSize]byte)
	defer scans.Put(buf)
	for s.pos < s.end {
		if _, err := s.Read(buf[:]); err != nil {
			return err
		}
	}
	return nil
}

// readFull fills dst, which has the length of what s has left.
func (s *section) readFull(dst []byte) error {
	_, err := io.ReadFull(s, dst)
	return err
}
