package callbacks

import (
	"context"
	"errors"
	"maps"
)

// Training is a training loop in its plainest form.
type Training struct {
	Epochs  int64
	Batches int64 // of each epoch
	// Step trains with one batch and returns its metrics.
	Step func(ctx context.Context, epoch, batch int64) (Logs, error)
	// Validate returns the metrics of an epoch, "val_loss" for example. Those
	// of the epoch's last batch are added to them. Nil: there are no others.
	Validate func(ctx context.Context, epoch int64) (Logs, error)
}

// Fit trains, from the Position of a callback that has one, and tells the
// callbacks. A callback's ErrStop ends the training after the epoch, any other
// error at once, and so does the end of ctx. (TensorFlow: tf.keras.Model.fit)
func Fit(ctx context.Context, t Training, callbacks ...Callback) error {
	all := List(callbacks)
	err := all.OnTrainBegin(ctx)
	epoch, batch := all.Position()
	for ; err == nil && epoch < t.Epochs; epoch, batch = epoch+1, 0 {
		err = t.epoch(ctx, all, epoch, batch)
	}
	if err == nil || errors.Is(err, ErrStop) {
		err = all.OnTrainEnd(ctx)
	}
	if errors.Is(err, ErrStop) {
		return nil
	}
	return err
}

// epoch trains with what is left of an epoch.
func (t *Training) epoch(ctx context.Context, all List, epoch, batch int64) error {
	err := all.OnEpochBegin(ctx, epoch)
	logs := Logs{}
	for ; batch < t.Batches && err == nil; batch++ {
		if err = ctx.Err(); err == nil {
			logs, err = t.Step(ctx, epoch, batch)
		}
		if err == nil {
			err = all.OnBatchEnd(ctx, batch, logs)
		}
	}
	if err != nil && !errors.Is(err, ErrStop) {
		return err
	}
	if logs = maps.Clone(logs); t.Validate != nil {
		more, failed := t.Validate(ctx, epoch)
		if failed != nil {
			return failed
		}
		if logs == nil {
			logs = Logs{}
		}
		maps.Copy(logs, more)
	}
	if ended := all.OnEpochEnd(ctx, epoch, logs); ended != nil {
		return ended
	}
	return err
}

// Position returns where to begin: what the first of the callbacks says that
// has a Position, as BackupAndRestore does, and else 0, 0.
func (l List) Position() (epoch, batch int64) {
	for _, c := range l {
		if p, ok := c.(interface{ Position() (epoch, batch int64) }); ok {
			return p.Position()
		}
	}
	return 0, 0
}
