package trackable

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
)

// fewestReaders keeps a disk busy where there are few processors: while some
// readings are copied and hashed, or wait for a processor, others are on their way.
const fewestReaders = 8

// inOrder calls do for 0 to n-1, several at a time, which begin in order. After
// a failure no more begin. The error is that of the first in order: what was
// before one that failed had begun, and is waited for.
func inOrder(n int, do func(i int) error) error {
	r := running{n: n, first: n, do: do}
	var workers sync.WaitGroup
	for range min(n, max(fewestReaders, runtime.GOMAXPROCS(0))) - 1 {
		workers.Go(r.work)
	}
	r.work()
	workers.Wait()
	return r.err
}

// running is one call of inOrder.
type running struct {
	n  int
	do func(i int) error

	mu    sync.Mutex
	next  int
	first int // of those that failed
	err   error
}

func (r *running) work() {
	for i, more := r.begin(); more; i, more = r.begin() {
		r.end(i, r.do(i))
	}
}

func (r *running) begin() (i int, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == r.n || r.err != nil {
		return 0, false
	}
	r.next++
	return r.next - 1, true
}

func (r *running) end(i int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && i < r.first {
		r.first, r.err = i, err
	}
}

// fileOrder returns tasks in the order that their tensors have in the file. Of
// a pass that had waited, which restores little, it asks no such thing: to list
// all names of a checkpoint once for each would take longer than to read.
func (p *pass) fileOrder(tasks []*task) []*task {
	if !p.whole || len(tasks) < 2 {
		return tasks
	}
	rank := make(map[string]int)
	for i, name := range p.r.src.Names() {
		rank[name] = i
	}
	for _, t := range tasks {
		t.rank = math.MaxInt
		for _, s := range t.stored {
			if i, ok := rank[s.key]; ok {
				t.rank = min(t.rank, i)
			}
		}
	}
	ordered := slices.Clone(tasks)
	slices.SortStableFunc(ordered, func(a, b *task) int { return cmp.Compare(a.rank, b.rank) })
	return ordered
}
