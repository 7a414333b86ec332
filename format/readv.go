package format

import (
	"io"
	"sync"
)

// Scatterer is an io.ReaderAt that reads what lies side by side to several
// places, as readv(2) does, without the copy that a buffer between would cost.
type Scatterer interface {
	// ReadvAt is ReadAt for all of to, one after the other.
	ReadvAt(to [][]byte, off int64) (int, error)
}

// between has buffers of those that are no Scatterer.
var between = sync.Pool{New: func() any { return new([]byte) }}

// ReadvAt reads the bytes of r from off on to all of to, one after the other:
// with one reading, as far as r is one that lets it.
func ReadvAt(r io.ReaderAt, to [][]byte, off int64) (int, error) {
	if s, ok := r.(Scatterer); ok {
		return s.ReadvAt(to, off)
	}
	if len(to) == 1 {
		return r.ReadAt(to[0], off)
	}
	size := 0
	for _, b := range to {
		size += len(b)
	}
	buf := between.Get().(*[]byte)
	defer between.Put(buf)
	if len(*buf) < size {
		*buf = make([]byte, size)
	}
	n, err := r.ReadAt((*buf)[:size], off)
	for rest := (*buf)[:n]; len(rest) > 0; to = to[1:] {
		rest = rest[copy(to[0], rest):]
	}
	return n, err
}
