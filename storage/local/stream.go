package local

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// stream writes a large file past the system's cache, which costs half the
// processor time and, since nothing is left to be written at the flush, half
// the time of a durable save. While one of its buffers is filled, others are on
// their way to the disk.
type stream struct {
	d       *dir
	cached  vfs.File // through the cache, should the file system refuse
	direct  vfs.File
	written chan []byte   // buffers to be filled again
	held    int           // buffers of the ring that are this stream's
	lent    chan struct{} // one for each write of what is no buffer
	writing sync.WaitGroup

	mu  sync.Mutex
	err error // the first failure
}

// blockSize is what lengths and offsets of direct writes are multiples of.
const blockSize = 4096

// newStream returns a stream to the file at path and its first buffer, nil if
// there is none now or the file system wants no such writes.
func (d *dir) newStream(cached vfs.File, path string) (*stream, []byte) {
	b := staging.take()
	if b == nil {
		return nil, nil
	}
	direct, err := d.fsys.OpenFile(path, os.O_WRONLY|directFlag|vfs.NoFollow, 0)
	if err != nil {
		// The cached way goes on, and tells if something is really wrong.
		if isRefusal(err) {
			d.refuses.Store(true)
		}
		staging.give(b)
		return nil, nil
	}
	return &stream{d: d, cached: cached, direct: direct, written: make(chan []byte, staging.buffers), held: 1, lent: make(chan struct{}, staging.buffers)}, b
}

// put writes b, the beginning of a buffer of the stream, in the background, and
// returns another.
func (s *stream) put(b []byte, off int64) ([]byte, error) {
	whole := b[:cap(b)]
	if err := s.failed(); err != nil {
		s.written <- whole
		return nil, err
	}
	s.writing.Go(func() {
		s.write(b, off)
		s.written <- whole
	})
	return s.next(), nil
}

// lend writes b, which is no buffer and stays what it is until close, in the
// background.
func (s *stream) lend(b []byte, off int64) error {
	if err := s.failed(); err != nil {
		return err
	}
	s.lent <- struct{}{}
	s.writing.Go(func() {
		s.write(b, off)
		<-s.lent
	})
	return nil
}

func (s *stream) write(b []byte, off int64) {
	err := s.writeAt(b, off)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// next returns a buffer: one that is written, or another of the ring, or the
// first that will be written. Of those it does not need it leaves one to a file
// that has none.
func (s *stream) next() []byte {
	wanted := staging.hungry.Load() > 0
	select {
	case b := <-s.written:
		if !wanted || s.held == 1 {
			return b
		}
		s.held--
		staging.give(b)
	default:
		if wanted {
			break
		}
		if b := staging.take(); b != nil {
			s.held++
			return b
		}
	}
	return <-s.written // one was just put
}

// writeAt writes past the cache if the file system lets it. One that takes such
// a file and refuses to write to it is found out here.
func (s *stream) writeAt(b []byte, off int64) error {
	if !s.d.refuses.Load() {
		_, err := s.direct.WriteAt(b, off)
		if !isRefusal(err) {
			return err
		}
		s.d.refuses.Store(true)
	}
	_, err := s.cached.WriteAt(b, off)
	return err
}

// isRefusal reports whether a file system does not write past its cache at all.
func isRefusal(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

func (s *stream) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// end writes the first n bytes of b, the last of the file, and waits for all.
// The file is then longer by up to a block: who calls sets its length.
func (s *stream) end(b []byte, n int, off int64) error {
	if err := s.failed(); err != nil {
		return err
	}
	whole := (n + blockSize - 1) &^ (blockSize - 1)
	clear(b[n:whole])
	err := s.writeAt(b[:whole], off)
	s.writing.Wait()
	if failed := s.failed(); failed != nil {
		return failed
	}
	return err
}

// close gives all buffers back, among them b, once they are written.
func (s *stream) close(b []byte) error {
	s.writing.Wait()
	if b != nil {
		staging.give(b)
		s.held--
	}
	for range s.held {
		staging.give(<-s.written)
	}
	return s.direct.Close()
}
