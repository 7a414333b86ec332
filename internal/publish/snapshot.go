package publish

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Snapshot makes w's tensors copies of what they are now, so that w can be
// written while the objects change.
func (w *Writing) Snapshot(ctx context.Context) error {
	var copied []format.Named
	for t, err := range w.Tensors {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		copied = append(copied, cloned(t))
	}
	w.Tensors = sequence(copied)
	return nil
}

// cloned returns a copy of t. The graph was made for this save alone.
func cloned(t format.Named) format.Named {
	if t.Name == trackable.GraphKey {
		return t
	}
	t.Tensor = t.Tensor.Clone()
	t.Full = slices.Clone(t.Full)
	if t.Slice != nil {
		t.Slice = &tensor.Slice{Start: slices.Clone(t.Slice.Start), Length: slices.Clone(t.Slice.Length)}
	}
	return t
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
