package checkpoint

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ckpt-dev/ckpt/coordinator"
)

// A save by several workers goes in rounds, in each of which everyone tells
// what the others must know, or why it cannot go on. The first round with an
// error is the last: all stop there. Worker 0 leads. It alone holds the
// directory's lock, looks what is there, and writes what there is one of.
//
//	begin    the leader names path and save counter, the others are ready
//	plan     what tensors each has; all work out the same layout of them
//	written  each has written its data files, which nobody sees yet
//	publish  the leader has published the receipt; an old checkpoint of this
//	         path has its second names
//	data     each has published its data files
//	end      the leader has published index and state file: that is the answer
//
// After a crash the directory is as a single writer would have left it.

// crew is one worker's part in one such save.
type crew struct {
	group coordinator.Group
	begun bool // the others know of this save
	over  bool // a round has failed
}

// newCrew returns nil for a worker that is alone.
func newCrew(g coordinator.Group) *crew {
	if g == nil || g.Size() == 1 {
		return nil
	}
	return &crew{group: g}
}

func (c *crew) leads() bool { return c.group.Rank() == 0 }

// place returns the worker's rank, and how many there are.
func (c *crew) place() (rank, size int) { return c.group.Rank(), c.group.Size() }

// announcement is what the leader says in the round begin.
type announcement struct {
	Skip   bool // there is no save: it is not due
	Path   string
	Counts bool // the save counter becomes Count
	Count  int64
}

// round tells the others mine, or that this worker has failed, and returns
// what all have told. If some have failed it returns its own error, or else
// that of the lowest rank.
func round[T any](ctx context.Context, c *crew, name string, mine T, failed error) (all []T, err error) {
	defer func() { c.over = c.over || err != nil }()
	type message struct {
		Err   string `json:",omitempty"`
		Value T
	}
	m := message{Value: mine}
	if failed != nil {
		m = message{Err: failed.Error()}
	}
	text, err := json.Marshal(m)
	if err != nil {
		// The others wait for this round; it must be told them.
		failed = err
		if text, err = json.Marshal(message{Err: err.Error()}); err != nil {
			return nil, err
		}
	}
	answers, err := c.group.AllGather(ctx, "checkpoint "+name, text)
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, err
	}
	for rank, answer := range answers {
		var m message
		if err := json.Unmarshal(answer, &m); err != nil {
			return nil, fmt.Errorf("worker %d: round %s: %w", rank, name, err)
		}
		if m.Err != "" {
			return nil, fmt.Errorf("worker %d: %s", rank, m.Err)
		}
		all = append(all, m.Value)
	}
	return all, nil
}

// finish ends the leader's part. err is what became of its save, or "not due"
// if that has not begun and err is nil; state is what the others get to know.
func (c *crew) finish(ctx context.Context, state string, err error) error {
	switch {
	case c.over:
		return err
	case !c.begun:
		_, told := round(ctx, c, "begin", announcement{Skip: true}, err)
		return told
	}
	// The save stands, whoever has left before he was told.
	if _, told := round(ctx, c, "end", state, err); err != nil {
		return told
	}
	return nil
}

// begin is the leader's round begin, from which on the others wait for finish.
func (c *crew) begin(ctx context.Context, a announcement) error {
	c.begun = true
	_, err := round(ctx, c, "begin", a, nil)
	return err
}

// join is the round begin of the others: ready is why this worker cannot take
// part, if so.
func (c *crew) join(ctx context.Context, ready error) (announcement, error) {
	all, err := round(ctx, c, "begin", announcement{}, ready)
	if err != nil {
		return announcement{}, err
	}
	return all[0], nil
}

// await is the round end of the others.
func (c *crew) await(ctx context.Context) (state string, err error) {
	all, err := round(ctx, c, "end", "", nil)
	if err != nil {
		return "", err
	}
	return all[0], nil
}
