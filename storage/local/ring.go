package local

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/ckpt-dev/ckpt/internal/offheap"
)

// ring are the buffers through which large files go to the disk. All files of
// the process share them: what saving takes of memory does not grow with what is
// saved, nor with how much is saved at once.
type ring struct {
	buffers, size int

	once   sync.Once
	free   chan []byte
	none   bool         // there was no memory for them
	hungry atomic.Int32 // files that would have one
}

// staging is the process's: 4 buffers are enough for a disk to be busy while
// one is filled, and of 8 MiB none measured better.
var staging = &ring{buffers: 4, size: 8 << 20}

// reading is the process's for cold restores. It has its own, because a reading may
// wait for the end of another, which is near, and not for that of a save. A buffer
// has room for what a format asks for at once, wherever that begins in a block.
var reading = &ring{buffers: 7, size: 2<<20 + 64<<10}

// take returns a buffer, nil if none is free.
func (r *ring) take() []byte {
	r.once.Do(r.make)
	select {
	case b := <-r.free:
		return b
	default:
		return nil
	}
}

// wait returns a buffer as soon as there is one, and nil if there will be none.
func (r *ring) wait(ctx context.Context) ([]byte, error) {
	r.once.Do(r.make)
	if r.none {
		return nil, nil
	}
	select {
	case b := <-r.free:
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// make allocates the buffers, at the first large file. Without memory for them
// there are none, and files are written through the system's cache.
func (r *ring) make() {
	r.free = make(chan []byte, r.buffers)
	all, err := offheap.Alloc(r.buffers * r.size)
	if err != nil {
		r.none = true
		return
	}
	for i := range r.buffers {
		r.free <- all.Bytes[i*r.size : (i+1)*r.size : (i+1)*r.size]
	}
}

// give takes a buffer back.
func (r *ring) give(b []byte) { r.free <- b }
