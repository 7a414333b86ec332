package checkpoint

import (
	"context"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/filename"
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
// counterpart. With Options.Async errors are as Write's.
// (TensorFlow: tf.keras.Model.save_weights)
func (c *Checkpoint) SaveAs(ctx context.Context, dir storage.Dir, name string, o *SaveAsOptions) error {
	if o == nil {
		o = new(SaveAsOptions)
	}
	s := c.newPlainSave(dir, name)
	err := filename.Check(name)
	if err == nil {
		s.w.Path = name
		r := Receipt{Writer: WriterSave, Step: o.Step, Epoch: o.Epoch, Metrics: o.Metrics, Tags: o.Tags}
		s.w.receipt = r.clone()
		err = s.run(ctx, s.handed, s.writeAndRecord)
	}
	if err != nil {
		err = fmt.Errorf("save %s: %w", name, err)
	}
	return c.outcomes.before(err, c, s.begun)
}
