package publish

import (
	"context"
	"errors"
	"sync"

	"github.com/ckpt-dev/ckpt/format"
)

// handover passes tensors from the call that saves, which has the objects, to
// the writing, which may come later: copies, which the call does not wait for,
// and objects' own memory, which it does.
type handover struct {
	mu     sync.Mutex
	change sync.Cond
	ready  []handed
	taken  int  // how many the writing has begun
	done   int  // and how many it has no use for any more
	put    int  // how many were given to it
	ended  bool // nothing more will be given
	gone   bool // nothing more will be taken
}

// handed is a tensor, or the error that ends them.
type handed struct {
	format.Named
	err error
}

// errGone ends a feeding: the writing has an error, which it will tell.
var errGone = errors.New("nothing is written any more")

func newHandover() *handover {
	h := new(handover)
	h.change.L = &h.mu
	return h
}

// give hands t over, and waits, if it is to, until t was written.
func (h *handover) give(ctx context.Context, t format.Named, wait bool) error {
	stop := context.AfterFunc(ctx, h.wake)
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready = append(h.ready, handed{Named: t})
	h.put++
	mine := h.put
	h.change.Broadcast()
	for wait && h.done < mine && !h.gone {
		if ctx.Err() != nil && h.taken < mine {
			h.ready = h.ready[:len(h.ready)-1] // it is the last
			return ctx.Err()
		}
		h.change.Wait()
	}
	if h.gone {
		return errGone
	}
	return nil
}

func (h *handover) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.change.Broadcast()
}

// end is called when all was given, or err keeps the rest from being.
func (h *handover) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.ready = append(h.ready, handed{err: err})
	}
	h.ended = true
	h.change.Broadcast()
}

// leave is called when the writing has ended, however it has. It returns when
// nothing will be given any more.
func (h *handover) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	h.change.Broadcast()
	for !h.ended {
		h.change.Wait()
	}
}

// tensors is the sequence that the writing has of it.
func (h *handover) tensors(yield func(format.Named, error) bool) {
	for {
		t, ok := h.take()
		if !ok || !yield(t.Named, t.err) {
			return
		}
		h.mu.Lock()
		h.done++
		h.change.Broadcast()
		h.mu.Unlock()
	}
}

func (h *handover) take() (handed, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.ready) == 0 && !h.ended {
		h.change.Wait()
	}
	if len(h.ready) == 0 {
		return handed{}, false
	}
	t := h.ready[0]
	h.ready = h.ready[1:]
	h.taken++
	return t, true
}
