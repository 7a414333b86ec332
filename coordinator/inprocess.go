package coordinator

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
)

// InProcess returns the n members of a new group whose workers are goroutines
// of this process, by rank. For n below 1 there are none.
func InProcess(n int) []Group {
	h := &hall{size: max(n, 0), rounds: map[string][]*round{}}
	members := make([]Group, h.size)
	for i := range members {
		members[i] = member{h, i}
	}
	return members
}

// hall is where the members of one group meet.
type hall struct {
	size int

	mu sync.Mutex
	// rounds are those that not every member has come to, by name, oldest
	// first. One that was left stays until all have been told.
	rounds map[string][]*round
}

// round is one meeting. What is written before over is closed may be read after.
type round struct {
	given [][]byte
	came  []bool
	n     int // how many came
	err   error
	over  chan struct{} // closed when all have come, or one has left
}

type member struct {
	hall *hall
	rank int
}

func (m member) Rank() int { return m.rank }
func (m member) Size() int { return m.hall.size }

func (m member) AllGather(ctx context.Context, name string, mine []byte) ([][]byte, error) {
	r := m.hall.join(name, m.rank, bytes.Clone(mine), ctx.Err())
	select {
	case <-r.over:
	case <-ctx.Done():
		m.hall.leave(r, m.rank)
	}
	// It may have become complete just before this member left.
	<-r.over
	if r.err == nil {
		return slices.Clone(r.given), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("round %q: %w", name, r.err)
}

// join enters a member into the oldest round that it has not come to. A
// member whose context has ended comes only to end the round.
func (h *hall) join(name string, rank int, mine []byte, gone error) *round {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.rounds[name]
	i := slices.IndexFunc(list, func(r *round) bool { return !r.came[rank] })
	if i < 0 {
		i = len(list)
		list = append(list, &round{given: make([][]byte, h.size), came: make([]bool, h.size), over: make(chan struct{})})
	}
	r := list[i]
	r.given[rank], r.came[rank] = mine, true
	r.n++
	if gone != nil {
		r.end(leftBy(rank))
	}
	if r.n == h.size {
		r.end(nil)
		list = slices.Delete(list, i, i+1)
	}
	if h.rounds[name] = list; len(list) == 0 {
		delete(h.rounds, name)
	}
	return r
}

// leave ends a round that is not over yet.
func (h *hall) leave(r *round, rank int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.end(leftBy(rank))
}

func leftBy(rank int) error { return fmt.Errorf("worker %d: %w", rank, ErrLeft) }

// end ends the round, if nobody has; the hall is locked.
func (r *round) end(err error) {
	select {
	case <-r.over:
	default:
		r.err = err
		close(r.over)
	}
}
