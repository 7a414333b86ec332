package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ckpt-dev/ckpt/internal/queue"
)

// Saving is a save that was begun.
type Saving struct {
	path  string
	done  chan struct{} // nil: it stands for what went wrong after a save
	err   error         // when done
	of    *outcomes
	c     *Checkpoint
	owner any // the Manager or Checkpoint whose save it is
}

// Path returns the path of the checkpoint, which exists when the save is done.
func (s *Saving) Path() string { return s.path }

// Done returns a channel that is closed when the save is done: the checkpoint
// is durable and recorded, hooks were called; or it has failed.
func (s *Saving) Done() <-chan struct{} { return s.done }

// Wait waits until the save is done and returns its error, or ctx's if that
// ends first; the writing goes on then. An error that was returned here is not
// returned by the next save, Sync or Close again.
func (s *Saving) Wait(ctx context.Context) error {
	if s.c != nil && s.c.inQueue(ctx) && !s.isDone() {
		return fmt.Errorf("wait for %s: %w", s.path, ErrSaving)
	}
	if err := wait(ctx, s.done); err != nil {
		return err
	}
	s.of.told(s)
	return s.err
}

func (s *Saving) isDone() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// wait waits for done, but no longer than ctx.
func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done: // also if both are
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finished returns the handle of a save that is done.
func finished(path string) *Saving {
	s := &Saving{path: path, done: make(chan struct{}), of: new(outcomes)}
	close(s.done)
	return s
}

// errEnded is what is known of a save whose writing ended its goroutine.
var errEnded = errors.New("the goroutine that wrote it ended")

// later puts a save at the end of the queue. ended is called with the outcome
// before anybody can wait for it, and may say more about it.
func (c *Checkpoint) later(path string, a *Async, owner any, write func() error, ended func(error) error) *Saving {
	s := &Saving{path: path, done: make(chan struct{}), of: &c.outcomes, c: c, owner: owner}
	end := func(err error) {
		c.outcomes.count(err)
		if s.err = ended(err); s.err != nil && !errors.Is(err, ErrReplaced) {
			c.outcomes.missed(s)
		}
		close(s.done)
	}
	c.queue.Put(queue.Job{
		Owner: owner,
		Run: func() {
			err := errEnded
			defer func() { end(err) }()
			err = write()
		},
		Dropped: func() { end(ErrReplaced) },
	}, a.limit())
	return s
}

// fed returns the error of a save whose call could not copy the values, err, as
// the writing has it: that ends with it.
func (c *Checkpoint) fed(s *Saving, err error) error {
	if err == nil {
		return nil
	}
	<-s.done
	c.outcomes.told(s)
	return s.err
}

// EarlierError is returned by a save when one before it has failed since
// anybody asked: as the only error, or joined with those of other saves. It
// says nothing about the save that returns it, which is under way or done if
// it also returned a path.
type EarlierError struct {
	Path string // of the checkpoint that was not saved
	Err  error
}

func (e *EarlierError) Error() string { return "an earlier save failed: " + e.Err.Error() }
func (e *EarlierError) Unwrap() error { return e.Err }

// outcomes are those of asynchronous saves.
type outcomes struct {
	mu     sync.Mutex
	untold []*Saving // failed, and nobody knows yet
	stats  AsyncStats
}

// count counts a save.
func (o *outcomes) count(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.stats.Written++
	case errors.Is(err, ErrSkipped):
		o.stats.Skipped++
	case errors.Is(err, ErrReplaced):
		o.stats.Replaced++
	default:
		o.stats.Failed++
	}
}

func (o *outcomes) statistics() AsyncStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats
}

// missed notes an error that somebody has to be told.
func (o *outcomes) missed(s *Saving) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.untold = append(o.untold, s)
}

// told notes that somebody knows of s.
func (o *outcomes) told(s *Saving) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.untold = slices.DeleteFunc(o.untold, func(u *Saving) bool { return u == s })
}

// failed returns the saves of owner, or of all if that is nil, of whose errors
// nobody was told, but not the save mine. They count as told then.
func (o *outcomes) failed(owner any, mine *Saving) []*Saving {
	o.mu.Lock()
	defer o.mu.Unlock()
	var failed, others []*Saving
	for _, s := range o.untold {
		if s != mine && (owner == nil || s.owner == owner) {
			failed = append(failed, s)
		} else {
			others = append(others, s)
		}
	}
	o.untold = others
	return failed
}

// take returns the errors of those saves.
func (o *outcomes) take(owner any) []error {
	var errs []error
	for _, s := range o.failed(owner, nil) {
		errs = append(errs, s.err)
	}
	return errs
}

// before returns err, which is of a save just made, after those of earlier
// ones of owner. It may have begun the save mine, of which others are told: that
// can have failed already, and is no earlier one.
func (o *outcomes) before(err error, owner any, mine *Saving) error {
	var all []error
	for _, s := range o.failed(owner, mine) {
		if s.done == nil { // a hook, perhaps just now
			all = append(all, s.err)
		} else {
			all = append(all, &EarlierError{s.path, s.err})
		}
	}
	if len(all) == 0 {
		return err
	}
	return errors.Join(append(all, err)...)
}
