// Package callbacks saves in the midst of a training loop, as Keras's
// callbacks do: ModelCheckpoint keeps files for people, BackupAndRestore keeps
// the training itself against interruptions, EarlyStopping ends it.
//
// Any loop may tell them what happens:
//
//	all := callbacks.List{backup, best}
//	err := all.OnTrainBegin(ctx)
//	epoch, batch := backup.Position()
//	for ; epoch < epochs; epoch++ {
//		err = all.OnEpochBegin(ctx, epoch)
//		for ; batch < batches; batch++ {
//			err = all.OnBatchEnd(ctx, batch, callbacks.Logs{"loss": step()})
//		}
//		batch = 0
//		err = all.OnEpochEnd(ctx, epoch, callbacks.Logs{"val_loss": validate()})
//	}
//	err = all.OnTrainEnd(ctx)
//
// Fit is this loop; adapters/gomlx attaches callbacks to GoMLX's own.
package callbacks

import (
	"context"
	"errors"
)

// Logs are the metrics of a batch or of an epoch by their names.
type Logs map[string]float64

// ErrStop is what a callback returns that wants the training to end well: the
// loop stops and calls OnTrainEnd. (TensorFlow: stop_training)
var ErrStop = errors.New("a callback has ended the training")

// Callback is told what happens in a training. Epochs and batches count from
// 0, batches anew in each epoch. An error other than ErrStop means that the
// callback's work is not done; whether to train on is the loop's decision.
// (TensorFlow: tf.keras.callbacks.Callback)
type Callback interface {
	// OnTrainBegin is called before the first step.
	OnTrainBegin(ctx context.Context) error
	// OnEpochBegin is called before an epoch's first step, also when its
	// beginning lies in a process before this one.
	OnEpochBegin(ctx context.Context, epoch int64) error
	// OnBatchEnd is called after a step or, where one call of the trainer
	// runs several, after the last of these.
	OnBatchEnd(ctx context.Context, batch int64, logs Logs) error
	// OnEpochEnd is called after an epoch's last step and the validation.
	OnEpochEnd(ctx context.Context, epoch int64, logs Logs) error
	// OnTrainEnd is called after the last epoch, not after an error.
	OnTrainEnd(ctx context.Context) error
}

// None is a Callback that does nothing, to embed in those that care for some
// of the events.
type None struct{}

// OnTrainBegin does nothing.
func (None) OnTrainBegin(context.Context) error { return nil }

// OnEpochBegin does nothing.
func (None) OnEpochBegin(context.Context, int64) error { return nil }

// OnBatchEnd does nothing.
func (None) OnBatchEnd(context.Context, int64, Logs) error { return nil }

// OnEpochEnd does nothing.
func (None) OnEpochEnd(context.Context, int64, Logs) error { return nil }

// OnTrainEnd does nothing.
func (None) OnTrainEnd(context.Context) error { return nil }

// List is several callbacks as one, told in their order. All are told of an
// event whatever the others return; the errors are joined, an ErrStop only if
// there is no other. (TensorFlow: tf.keras.callbacks.CallbackList)
type List []Callback

// OnTrainBegin tells all. One that fails keeps those after it from beginning.
func (l List) OnTrainBegin(ctx context.Context) error {
	var stop error
	for _, c := range l {
		if err := c.OnTrainBegin(ctx); errors.Is(err, ErrStop) {
			stop = err
		} else if err != nil {
			return err
		}
	}
	return stop
}

// OnEpochBegin tells all.
func (l List) OnEpochBegin(ctx context.Context, epoch int64) error {
	return l.each(func(c Callback) error { return c.OnEpochBegin(ctx, epoch) })
}

// OnBatchEnd tells all.
func (l List) OnBatchEnd(ctx context.Context, batch int64, logs Logs) error {
	return l.each(func(c Callback) error { return c.OnBatchEnd(ctx, batch, logs) })
}

// OnEpochEnd tells all.
func (l List) OnEpochEnd(ctx context.Context, epoch int64, logs Logs) error {
	return l.each(func(c Callback) error { return c.OnEpochEnd(ctx, epoch, logs) })
}

// OnTrainEnd tells all.
func (l List) OnTrainEnd(ctx context.Context) error {
	return l.each(func(c Callback) error { return c.OnTrainEnd(ctx) })
}

func (l List) each(tell func(Callback) error) error {
	var failed []error
	stop := false
	for _, c := range l {
		switch err := tell(c); {
		case errors.Is(err, ErrStop):
			stop = true
		case err != nil:
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 && stop {
		return ErrStop
	}
	return errors.Join(failed...)
}
