// Package crew lets the workers of a coordinator.Group save together. A save
// goes in rounds, in each of which everyone tells what the others must know, or
// why it cannot go on. The first round with an error is the last: all stop there. Worker 0 leads. It alone holds the
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
package crew

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ckpt-dev/ckpt/coordinator"
)

// Worker is one worker's part in one such save.
type Worker struct {
	group coordinator.Group
	begun bool // the others know of this save
	over  bool // a round has failed
}

// New returns nil for a worker that is alone.
func New(g coordinator.Group) *Worker {
	if g == nil || g.Size() == 1 {
		return nil
	}
	return &Worker{group: g}
}

// Leads reports whether this is worker 0.
func (w *Worker) Leads() bool { return w.group.Rank() == 0 }

// Place returns the worker's rank, and how many there are.
func (w *Worker) Place() (rank, size int) { return w.group.Rank(), w.group.Size() }

// Announcement is what the leader says in the round begin.
type Announcement struct {
	Skip   bool // there is no save: it is not due
	Path   string
	Counts bool // the save counter becomes Count
	Count  int64
}

// Round tells the others mine, or that this worker has failed, and returns
// what all have told. If some have failed it returns its own error, or else
// that of the lowest rank.
func Round[T any](ctx context.Context, w *Worker, name string, mine T, failed error) (all []T, err error) {
	defer func() { w.over = w.over || err != nil }()
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
	answers, err := w.group.AllGather(ctx, "checkpoint "+name, text)
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

// Finish ends the leader's part. err is what became of its save, or "not due"
// if that has not begun and err is nil; state is what the others get to know.
func (w *Worker) Finish(ctx context.Context, state string, err error) error {
	switch {
	case w.over:
		return err
	case !w.begun:
		_, told := Round(ctx, w, "begin", Announcement{Skip: true}, err)
		return told
	}
	// The save stands, whoever has left before he was told.
	if _, told := Round(ctx, w, "end", state, err); err != nil {
		return told
	}
	return nil
}

// Begin is the leader's round begin, from which on the others wait for finish.
func (w *Worker) Begin(ctx context.Context, a Announcement) error {
	w.begun = true
	_, err := Round(ctx, w, "begin", a, nil)
	return err
}

// Join is the round begin of the others: ready is why this worker cannot take
// part, if so.
func (w *Worker) Join(ctx context.Context, ready error) (Announcement, error) {
	all, err := Round(ctx, w, "begin", Announcement{}, ready)
	if err != nil {
		return Announcement{}, err
	}
	return all[0], nil
}

// Await is the round end of the others.
func (w *Worker) Await(ctx context.Context) (state string, err error) {
	all, err := Round(ctx, w, "end", "", nil)
	if err != nil {
		return "", err
	}
	return all[0], nil
}
