package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/arena"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Memory is what snapshots may take.
type Memory struct {
	*arena.Pool
	Limit int64 // bytes of all snapshots at a time, 0: any number
}

// Snapshot makes w's tensors what they are now, so that w can be written while
// the objects change: after Feed, which has to be called when somebody will
// write w, or has written it already. Forget has to be called when the writing
// is over, or there was none.
func (w *Writing) Snapshot(ctx context.Context, m Memory) (err error) {
	w.copies, w.memory = m.New(), m
	if err := w.makePlan(ctx, true); err != nil {
		return err
	}
	w.source = w.Tensors
	if m.Limit == 0 {
		return w.copyAll(ctx)
	}
	if w.Policy != nil {
		if w.described, err = w.describe(ctx); err != nil {
			return err
		}
	}
	if w.Frozen != nil {
		if err := w.countCopies(ctx); err != nil {
			return err
		}
	}
	w.handover = newHandover()
	w.Tensors = w.handover.tensors
	return nil
}

// countCopies leaves out of Bytes what is not going to be copied.
func (w *Writing) countCopies(ctx context.Context) error {
	w.Bytes = 0
	for t, err := range w.source {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if t.Tensor.DType().Size() > 0 && !w.links(t) && !w.isFrozen(t) {
			w.Bytes += t.Tensor.NumBytes()
		}
	}
	return nil
}

func (w *Writing) copyAll(ctx context.Context) error {
	var copied []format.Named
	for t, err := range w.source {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && w.links(t) {
			continue
		}
		if err == nil {
			t, err = w.kept(ctx, t, !w.isFrozen(t))
		}
		if err != nil {
			return err
		}
		copied = append(copied, t)
	}
	w.Tensors = sequence(copied)
	return nil
}

// Feed gives the writing what Snapshot left in the objects, and returns when
// they may change. Where there is not memory enough for copies of all tensors it
// waits until those are written that come first in the file, and copies the rest.
// An error that is not the writing's own ends that, too.
func (w *Writing) Feed(ctx context.Context) error {
	if w.handover == nil {
		return nil
	}
	err := errUnfed
	defer func() { w.handover.end(err) }() // also when an object panics
	if err = w.feed(ctx); errors.Is(err, errGone) {
		err = nil
	}
	return err
}

// errUnfed is what the writing knows of a call that panicked.
var errUnfed = errors.New("the call that was to copy the values has ended")

func (w *Writing) feed(ctx context.Context) error {
	left := w.Bytes
	for t, err := range w.source {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if w.links(t) {
			continue
		}
		copied, waits := false, false
		if !w.isFrozen(t) {
			n := t.Tensor.NumBytes()
			room := w.memory.Limit - w.memory.InUse()
			copied = t.Name == trackable.GraphKey || max(left, n) <= room
			left, waits = left-n, !copied
		}
		if t, err = w.kept(ctx, t, copied); err == nil {
			err = w.handover.give(ctx, t, waits)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Forget gives the memory of a snapshot back, if there is one, and gives up
// what a plan has linked and nobody has published.
func (w *Writing) Forget() {
	if err := w.abandon(); err != nil {
		w.Log.Warn("links of a save that was given up stay", "path", w.Path, "err", err)
	}
	if w.copies == nil {
		return
	}
	if w.handover != nil {
		w.handover.leave()
	}
	w.Tensors, w.source = sequence(nil), nil
	w.copies.Forget()
}

// kept returns t, or a copy, and keeps a place for the bytes that are not copied.
func (w *Writing) kept(ctx context.Context, t format.Named, copied bool) (format.Named, error) {
	if !copied || t.Tensor.DType().Size() == 0 {
		w.copies.Skip(tensorbundle.SizeOf(t.Tensor))
	}
	if !copied || t.Name == trackable.GraphKey { // which was made for this save alone
		return t, nil
	}
	return w.cloned(ctx, t)
}

// cloned returns a copy of t.
func (w *Writing) cloned(ctx context.Context, t format.Named) (_ format.Named, err error) {
	if t.Tensor, err = w.copied(ctx, t.Tensor); err != nil {
		return format.Named{}, err
	}
	t.Full = slices.Clone(t.Full)
	if t.Slice != nil {
		t.Slice = &tensor.Slice{Start: slices.Clone(t.Slice.Start), Length: slices.Clone(t.Slice.Length)}
	}
	return t, nil
}

func (w *Writing) copied(ctx context.Context, t tensor.Tensor) (tensor.Tensor, error) {
	if t.DType().Size() == 0 {
		return t.Clone(), nil
	}
	data, err := w.copies.Copy(ctx, t.Bytes())
	if err != nil {
		return tensor.Tensor{}, err
	}
	return tensor.FromBytes(t.DType(), t.Shape(), data)
}

func sequence(list []format.Named) iter.Seq2[format.Named, error] {
	return func(yield func(format.Named, error) bool) {
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
}

// LookAgain is for what is written later than its path was chosen: somebody
// else of this process, with another Checkpoint, may have taken it since. One
// that counts is never written over that.
func (w *Writing) LookAgain(ctx context.Context, counts bool) error {
	w.Free = false
	if !counts {
		return nil
	}
	is, err := shelf.Occupied(ctx, w.Dir, w.Path)
	if is {
		return fmt.Errorf("the number was taken by somebody else meanwhile: %w", fs.ErrExist)
	}
	w.Free = err == nil
	return err
}
