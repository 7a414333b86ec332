package publish

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
)

// publishTogether is publish of the worker that leads.
func (w *Writing) publishTogether(ctx context.Context) error {
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if err := w.Crew.Begin(ctx, crew.Announcement{Path: w.Path, Counts: w.Counts, Count: w.Count}); err != nil {
		return err
	}
	return w.PublishPart(ctx, nil)
}

// written is a data file that a worker has written.
type written struct {
	Number int
	Files  int // how many there are of all workers
	Shard  tensorbundle.Shard
	Parity []shelf.File // of it, if it has any
}

// PublishPart writes and publishes one worker's part of the checkpoint; the
// leader's has receipt and index too. ready is why that cannot be, if so.
func (w *Writing) PublishPart(ctx context.Context, ready error) (err error) {
	var mine []sharding.Tensor
	if ready == nil {
		mine, ready = w.describe(ctx)
	}
	lists, err := crew.Round(ctx, w.Crew, "plan", mine, ready)
	if err != nil {
		return err
	}
	var out output
	defer func() { err = out.end(err) }()
	files, err := w.writePart(ctx, &out, lists)
	all, err := crew.Round(ctx, w.Crew, "written", files, err)
	if err != nil {
		return err
	}
	if w.Crew.Leads() {
		return w.publishLed(ctx, &out, all)
	}
	return w.publishData(ctx, &out, nil)
}

// writePart writes this worker's data files.
func (w *Writing) writePart(ctx context.Context, out *output, lists [][]sharding.Tensor) ([]written, error) {
	dealt, err := deal(lists)
	if err != nil {
		return nil, err
	}
	l, err := w.layout(dealt)
	if err != nil {
		return nil, err
	}
	rank, size := w.Crew.Place()
	f := dataFiles{
		ctx: ctx, w: w, out: out,
		layout: l, left: len(lists[rank]), files: make([]dataFile, len(l.Shards)),
		// The graph is of nobody, and as such in a file that the leader writes.
		mine: func(shard int) bool { return l.Shards[shard][0].Worker%size == rank },
	}
	if err := w.stream(&f); err != nil {
		return nil, err
	}
	shards, told, err := f.shards()
	if err != nil {
		return nil, err
	}
	var files []written
	for i, s := range shards {
		if !f.mine(i) {
			continue
		}
		one := written{Number: i, Files: len(shards), Shard: s}
		if w.Protect { // told has those of mine, in order
			one.Parity = told[len(files) : len(files)+1]
		}
		files = append(files, one)
	}
	return files, nil
}

// publishData publishes the data files when the leader is ready; failed is why
// it is not.
func (w *Writing) publishData(ctx context.Context, out *output, failed error) error {
	if _, err := crew.Round(ctx, w.Crew, "publish", struct{}{}, failed); err != nil {
		return err
	}
	_, err := crew.Round(ctx, w.Crew, "data", struct{}{}, storage.CommitAll(ctx, w.Dir, out.data))
	return err
}

// publishLed is what the leader does around that.
func (w *Writing) publishLed(ctx context.Context, out *output, all [][]written) error {
	shards, err := w.collect(all)
	if err == nil {
		err = w.writeIndex(ctx, out, shards)
	}
	if err == nil {
		err = w.writeReceipt(ctx, out)
	}
	if err == nil && w.replaces() && w.main.Complete() {
		err = shelf.Link(ctx, w.Dir, w.main)
	}
	if !w.replaces() {
		err = w.publishAround(ctx, out, err)
	} else {
		told := false
		locked := dirlock.BetweenSweeps(ctx, w.Dir, dirlock.PinPatience, func(dir storage.Dir) error {
			here := *w
			here.Dir = dir
			told, err = true, here.publishAround(ctx, out, err)
			return err
		})
		if !told {
			err = w.publishData(ctx, out, locked) // the others wait for it
		}
		w.settled(ctx)
	}
	switch {
	case err != nil && !w.replaces():
		w.dropHalf(ctx)
	case err == nil && (!w.replaces() || !w.main.Complete()):
		w.dropStale(ctx)
	}
	return err
}

// replaces reports whether there is a checkpoint of this path.
func (w *Writing) replaces() bool { return w.main != nil && w.main.Index != nil }

// publishAround publishes the receipt before, and the index after all data. The
// parity of the index comes after that, unless there was one before.
func (w *Writing) publishAround(ctx context.Context, out *output, failed error) error {
	if failed == nil {
		first := []storage.Pending{out.receipt}
		if out.indexParity != nil && w.replaces() {
			first = append(first, out.indexParity)
		}
		failed = storage.CommitAll(ctx, w.Dir, first)
	}
	if err := w.publishData(ctx, out, failed); err != nil {
		return err
	}
	return storage.CommitAll(ctx, w.Dir, out.indexLast(w.replaces())...)
}

// collect puts together what the workers have written.
func (w *Writing) collect(all [][]written) ([]tensorbundle.Shard, error) {
	shards, err := collect(all)
	if err != nil || !w.Protect {
		return shards, err
	}
	told := make([]shelf.File, len(shards))
	for rank, files := range all {
		for _, f := range files {
			if len(f.Parity) != 1 {
				return nil, fmt.Errorf("worker %d: has written no parity: is the option everywhere the same?", rank)
			}
			told[f.Number] = f.Parity[0]
		}
	}
	w.Parity = told
	return shards, nil
}

func collect(all [][]written) ([]tensorbundle.Shard, error) {
	n := 0
	for _, files := range all {
		n += len(files)
	}
	shards, seen := make([]tensorbundle.Shard, n), make([]bool, n)
	for rank, files := range all {
		for _, f := range files {
			if f.Files != n || f.Number < 0 || f.Number >= n || seen[f.Number] {
				return nil, fmt.Errorf("worker %d: has written data file %d of %d, and all workers %d: is the sharding policy everywhere the same?", rank, f.Number, f.Files, n)
			}
			shards[f.Number], seen[f.Number] = f.Shard, true
		}
	}
	return shards, nil
}
