// Package arena has the memory of snapshots: copies that are made while a
// training waits, written to a disk, and forgotten all at once. The memory is used
// again by the next snapshot, because new memory is many times slower than
// old: the system clears each page when it is used first.
package arena

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ckpt-dev/ckpt/internal/offheap"
)

const (
	// Blocks double in size, so that few hold many tensors, and small ones little.
	firstBlock, lastBlock = 64 << 10, 64 << 20
	// pieceSize is copied at once, more would keep the collector waiting: copying
	// is not interrupted.
	pieceSize = 1 << 20
	// pageSize is what addresses and places in a file are compared by.
	pageSize = 4096
)

// Pool has the memory that no snapshot uses now. It may be used by several
// goroutines at once. The memory goes back to the system when the Pool is
// forgotten.
type Pool struct {
	free *blocks
	used atomic.Int64 // bytes of copies
}

// blocks outlive their Pool for as long as it takes to give them back.
type blocks struct {
	mu   sync.Mutex
	list []offheap.Memory
}

// NewPool returns a Pool without memory.
func NewPool() *Pool {
	p := &Pool{free: new(blocks)}
	runtime.AddCleanup(p, (*blocks).lose, p.free)
	return p
}

// lose gives the memory back to the system.
func (b *blocks) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.list {
		_ = m.Free() // nobody is left to be told, and nothing is lost
	}
	b.list = nil
}

// Arena is the memory of one snapshot. It is filled by one goroutine at a time.
//
// It is filled as a file is: one copy lies behind the other, and each begins equally
// far from the beginning of a page as it does in a file that has the same bytes, and
// those that were left out with Skip. From there it can be written without another
// copy.
type Arena struct {
	from *Pool  // which stays as long as it is used
	size int    // of used
	held int64  // bytes of copies
	pos  int64  // in the file
	rest []byte // of the last of used

	mu   sync.Mutex
	used []offheap.Memory
}

// New returns an empty Arena.
func (p *Pool) New() *Arena { return &Arena{from: p} }

// InUse returns how many bytes the copies have that were not forgotten yet.
func (p *Pool) InUse() int64 { return p.used.Load() }

// take returns the smallest block that has size bytes. If there is none, one
// that has become too small makes room for a new one, of block bytes at least.
func (b *blocks) take(size, block int) (offheap.Memory, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortFunc(b.list, func(m, n offheap.Memory) int { return len(m.Bytes) - len(n.Bytes) })
	at := slices.IndexFunc(b.list, func(m offheap.Memory) bool { return len(m.Bytes) >= size })
	if at >= 0 {
		m := b.list[at]
		b.list = slices.Delete(b.list, at, at+1)
		return m, nil
	}
	if last := len(b.list) - 1; last >= 0 {
		if err := b.list[last].Free(); err != nil {
			return offheap.Memory{}, err
		}
		b.list = b.list[:last]
	}
	return offheap.Alloc(max(size, block))
}

// Copy returns a copy of b in the arena, or in ordinary memory if there is no
// other. It stays what it is until Forget.
func (a *Arena) Copy(ctx context.Context, b []byte) ([]byte, error) {
	to, err := a.room(len(b))
	if err != nil {
		to = make([]byte, len(b))
	}
	a.held += int64(len(b))
	a.from.used.Add(int64(len(b)))
	return to, copyAll(ctx, to, b)
}

// Skip leaves out n bytes that the file has from elsewhere.
func (a *Arena) Skip(n int64) { a.pos += n }

// Holds reports whether b is part of what Copy returned, and in the arena's memory.
func (a *Arena) Holds(b []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := address(b)
	return slices.ContainsFunc(a.used, func(m offheap.Memory) bool {
		return at >= address(m.Bytes) && at < address(m.Bytes)+uintptr(len(m.Bytes))
	})
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// room returns where n bytes go.
func (a *Arena) room(n int) ([]byte, error) {
	pos := a.pos
	a.pos += int64(n)
	if n == 0 {
		return nil, nil
	}
	shift := int(pos-int64(address(a.rest))) & (pageSize - 1)
	if shift+n > len(a.rest) {
		if err := a.grow(n + pageSize); err != nil {
			return nil, err
		}
		shift = int(pos) & (pageSize - 1)
	}
	at := a.rest[shift:]
	a.rest = at[n:]
	return at[:n], nil
}

// grow begins another block, of size bytes at least.
func (a *Arena) grow(size int) error {
	m, err := a.from.free.take(size, min(max(a.size, firstBlock), lastBlock))
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used, a.rest = append(a.used, m), m.Bytes
	a.size += len(m.Bytes)
	return nil
}

// Forget ends the use of all that Copy returned. It may be called again.
func (a *Arena) Forget() {
	free := a.from.free
	free.mu.Lock()
	defer free.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	free.list = append(free.list, a.used...)
	a.from.used.Add(-a.held)
	a.used, a.size, a.held, a.rest, a.pos = nil, 0, 0, nil, 0
}

// copyAll copies in pieces, large memory by several goroutines.
func copyAll(ctx context.Context, to, from []byte) error {
	pieces := (len(from) + pieceSize - 1) / pieceSize
	workers := min(runtime.GOMAXPROCS(0), pieces/4)
	if workers < 2 {
		return copyPart(ctx, to, from)
	}
	share := (pieces + workers - 1) / workers * pieceSize
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		lo, hi := min(i*share, len(from)), min((i+1)*share, len(from))
		wg.Go(func() { errs[i] = copyPart(ctx, to[lo:hi], from[lo:hi]) })
	}
	wg.Wait()
	return cmp.Or(errs...) // all the same: of the context
}

func copyPart(ctx context.Context, to, from []byte) error {
	for len(from) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := copy(to, from[:min(len(from), pieceSize)])
		to, from = to[n:], from[n:]
	}
	return nil
}
