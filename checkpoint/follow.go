package checkpoint

import (
	"context"
	"errors"
)

// follow is a save of a worker that does not lead: ready is why it cannot take
// part, if so, and told is called with what the leader's state file says.
func (c *Checkpoint) follow(ctx context.Context, w *writing, ready error, told func(state string)) (skip bool, err error) {
	done, err := c.use(ctx)
	if err == nil {
		defer done()
	}
	for _, failed := range []error{c.misuse, ready} {
		if err == nil {
			err = failed
		}
	}
	a, err := w.Crew.Join(ctx, err)
	if err != nil || a.Skip {
		return a.Skip, err
	}
	entered := false
	body := func(int64) error {
		entered, w.Path = true, a.Path
		if err := w.PublishPart(ctx, c.hand(w)); err != nil {
			return err
		}
		state, err := w.Crew.Await(ctx)
		if err == nil && told != nil {
			told(state)
		}
		return err
	}
	if !a.Counts {
		return false, body(0)
	}
	err = c.counting(func(int64) (int64, error) { return a.Count, nil }, body)
	if !entered {
		err = w.PublishPart(ctx, err) // the others wait to be told
	}
	return false, err
}

var errAsyncWorkers = errors.New("Options.Async with Options.Workers: workers save together, and not asynchronously yet")
