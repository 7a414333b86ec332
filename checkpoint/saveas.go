package checkpoint

import (
	"context"
	"fmt"
	"path"

	"github.com/ckpt-dev/ckpt/storage"
)

// SaveAsOptions are what the receipt of a SaveAs is to tell. Nil and zero
// values tell nothing.
type SaveAsOptions struct {
	Step    *int64
	Epoch   *int64 // epochs done
	Metrics map[string]float64
	Tags    []string
}

// SaveAs saves the objects as the checkpoint name, as Write does, and makes
// that the latest of its directory, as Save does: for names that say more than
// a number. The save counter does not count it. An existing checkpoint of that
// name is replaced; after a crash it or the new one is there. Read is its
// counterpart. (TensorFlow: tf.keras.Model.save_weights)
func (c *Checkpoint) SaveAs(ctx context.Context, dir storage.Dir, name string, o *SaveAsOptions) error {
	if o == nil {
		o = new(SaveAsOptions)
	}
	if !c.busy.TryLock() {
		return fmt.Errorf("save %s: %w", name, ErrSaving)
	}
	defer c.busy.Unlock()
	err := exclusive(ctx, dir, func() error { return c.saveAsAlone(ctx, dir, name, o) })
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return nil
}

func (c *Checkpoint) saveAsAlone(ctx context.Context, dir storage.Dir, name string, o *SaveAsOptions) error {
	if err := checkPath(name); err != nil {
		return err
	}
	in, base := path.Split(name)
	below := dir
	if in != "" {
		below = storage.Sub(dir, path.Clean(in))
	}
	state, err := readIfUsable(ctx, below)
	if err != nil {
		return err
	}
	w := &writing{dir: dir, path: name, now: c.o.Now, start: c.o.Now(), log: c.o.Logger}
	w.receipt = Receipt{Writer: WriterSave, Step: o.Step, Epoch: o.Epoch, Metrics: o.Metrics, Tags: o.Tags}
	if err := c.hand(w); err != nil {
		return err
	}
	if err := w.publish(ctx); err != nil {
		return err
	}
	return WriteState(ctx, below, state.withUnmanaged(base))
}
