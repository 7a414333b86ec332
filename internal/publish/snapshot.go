package publish

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/arena"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Snapshot makes w's tensors copies of what they are now, in memory of the pool,
// so that w can be written while the objects change. Forget has to be called
// when that is over, also after an error.
func (w *Writing) Snapshot(ctx context.Context, pool *arena.Pool) error {
	w.copies = pool.New()
	var copied []format.Named
	for t, err := range w.Tensors {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if t, err = w.cloned(ctx, t); err != nil {
			return err
		}
		copied = append(copied, t)
	}
	w.Tensors = sequence(copied)
	return nil
}

// Forget gives the memory of a snapshot back, if there is one.
func (w *Writing) Forget() {
	if w.copies != nil {
		w.Tensors = sequence(nil)
		w.copies.Forget()
	}
}

// cloned returns a copy of t. The graph was made for this save alone.
func (w *Writing) cloned(ctx context.Context, t format.Named) (_ format.Named, err error) {
	if t.Name == trackable.GraphKey {
		return t, nil
	}
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
