// Package queue runs jobs one after another, in the order in which they were
// put. It has no goroutine while there is nothing to run, so that nobody needs
// to close it.
package queue

import (
	"context"
	"sync"
)

// Job is something to be run later.
type Job struct {
	Owner   any    // whose it is, a pointer: jobs replace only those of the same
	Run     func() // in a goroutine of its own
	Dropped func() // called instead if another job takes its place; nil: none does
}

// Limit is how many jobs may wait besides the one that runs. With Replace a
// job beyond that takes the place of the owner's newest that waits.
type Limit struct {
	Waiting int
	Replace bool
}

// Queue is a queue of jobs. Its zero value is empty.
type Queue struct {
	mu      sync.Mutex
	waiting []entry
	running int64         // number of what runs now, 0: nothing does
	last    int64         // number given last
	changed chan struct{} // closed when something ended or was dropped; nil: nobody waits
}

// entry is a job with its number; numbers grow.
type entry struct {
	Job
	number int64
}

// Full reports whether a job of owner would be beyond the limit.
func (q *Queue) Full(owner any, l Limit) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full(owner, l)
}

func (q *Queue) full(owner any, l Limit) bool {
	return q.beyond(l) && (!l.Replace || q.newest(owner) < 0)
}

func (q *Queue) beyond(l Limit) bool {
	ahead := len(q.waiting)
	if q.running != 0 {
		ahead++
	}
	return ahead > l.Waiting
}

// newest returns the place of the owner's newest job that may be dropped.
func (q *Queue) newest(owner any) int {
	for i := len(q.waiting) - 1; i >= 0; i-- {
		if q.waiting[i].Owner == owner && q.waiting[i].Dropped != nil {
			return i
		}
	}
	return -1
}

// Room waits until a job of owner would be within the limit. That stays true
// until somebody else puts a job.
func (q *Queue) Room(ctx context.Context, owner any, l Limit) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.until(ctx, func() bool { return !q.full(owner, l) })
}

// Put puts a job at the end, whether there is room or not. Beyond the limit,
// with Replace, the owner's newest that waits is dropped for it.
func (q *Queue) Put(j Job, l Limit) {
	q.mu.Lock()
	var dropped func()
	if i := q.newest(j.Owner); l.Replace && q.beyond(l) && i >= 0 {
		dropped = q.waiting[i].Dropped
		q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
		q.tell()
	}
	q.last++
	q.waiting = append(q.waiting, entry{j, q.last})
	if q.running == 0 {
		q.next()
	}
	q.mu.Unlock()
	if dropped != nil {
		dropped()
	}
}

// Do runs f in the caller's goroutine when nothing else is left to run; what
// is put meanwhile runs after it. It waits no longer than ctx.
func (q *Queue) Do(ctx context.Context, f func()) error {
	if err := q.take(ctx); err != nil {
		return err
	}
	defer q.end()
	f()
	return nil
}

func (q *Queue) take(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.until(ctx, func() bool { return q.running == 0 })
	if err == nil {
		q.last++
		q.running = q.last
	}
	return err
}

// Wait waits until everything has ended that was put before, but no longer
// than ctx.
func (q *Queue) Wait(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	newest := q.last
	return q.until(ctx, func() bool {
		return (q.running == 0 || q.running > newest) &&
			(len(q.waiting) == 0 || q.waiting[0].number > newest)
	})
}

// Waiting returns how many jobs have not begun.
func (q *Queue) Waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// until waits for ready, which it asks under the lock whenever something has
// changed.
func (q *Queue) until(ctx context.Context, ready func() bool) error {
	for !ready() {
		if q.changed == nil {
			q.changed = make(chan struct{})
		}
		changed := q.changed
		q.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		q.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// tell wakes who waits.
func (q *Queue) tell() {
	if q.changed != nil {
		close(q.changed)
		q.changed = nil
	}
}

// next starts the oldest job that waits.
func (q *Queue) next() {
	j := q.waiting[0]
	q.waiting = append([]entry(nil), q.waiting[1:]...) // which lets go of j's snapshot
	q.running = j.number
	go func() {
		defer q.end() // even if the job ends its goroutine
		j.Run()
	}()
}

// end is called when what was running has ended.
func (q *Queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = 0
	if len(q.waiting) > 0 {
		q.next()
	}
	q.tell()
}
