package gomlx

import (
	"context"
	"errors"
	"maps"
	"math"
	"strings"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/support/exceptions"
)

// LoopOptions say what epochs are to callbacks. Nil and the zero value are the
// defaults.
type LoopOptions struct {
	// StepsPerEpoch is how many steps an epoch has, counted by GoMLX's global
	// step; the loop itself knows steps only. Default: the whole training is
	// one epoch. A BackupAndRestore's BatchesPerEpoch should be the same.
	StepsPerEpoch int
	// Validate returns metrics to add to those of an epoch's last step.
	Validate func() (callbacks.Logs, error)
}

// NewLoop returns a training loop that tells the callbacks what happens, for
// one training. It begins the training by telling them so, which restores what
// a BackupAndRestore has, and so the loop goes on at the restored step:
//
//	loop, err := gomlx.NewLoop(ctx, trainer, &gomlx.LoopOptions{StepsPerEpoch: 468}, backup, best)
//	_, err = loop.RunToGlobalStep(ds, 4680)
//
// The dataset should begin with the batch of that step. Logs are the trainer's
// metrics by their names in lower case, "loss" the first. When a callback ends
// the training, Run (or NewLoop) returns an error that is callbacks.ErrStop,
// after all were told of the end. (TensorFlow: tf.keras.Model.fit)
func NewLoop(ctx context.Context, trainer *train.Trainer, o *LoopOptions, all ...callbacks.Callback) (*train.Loop, error) {
	t := &telling{ctx: ctx, all: all, epoch: -1}
	if o != nil {
		t.o = *o
	}
	if t.o.StepsPerEpoch < 0 {
		return nil, errors.New("gomlx: StepsPerEpoch is negative")
	}
	if t.o.StepsPerEpoch == 0 {
		t.o.StepsPerEpoch = math.MaxInt
	}
	if err := t.all.OnTrainBegin(ctx); err != nil {
		return nil, t.stop(err)
	}
	var loop *train.Loop
	// GoMLX panics where it cannot create the variable of the global step.
	if err := exceptions.TryCatch[error](func() { loop = train.NewLoop(trainer) }); err != nil {
		return nil, err
	}
	loop.OnStart("ckpt", 0, t.start)
	// After what others do in a step, which belongs into its checkpoint.
	loop.OnStep("ckpt", math.MaxInt, t.step)
	loop.OnEnd("ckpt", math.MaxInt, t.end)
	return loop, nil
}

// telling tells callbacks what happens in a loop.
type telling struct {
	ctx   context.Context
	all   callbacks.List
	o     LoopOptions
	epoch int64 // the last that has begun
	open  bool  // and has not ended
	logs  callbacks.Logs
	ended bool
}

var errEnded = errors.New("gomlx: the callbacks' training has ended: another one needs another loop")

func (t *telling) start(*train.Loop, train.Dataset) error {
	if t.ended {
		return errEnded
	}
	return nil
}

// step is called with LoopStep being the step just done. A loop has no hook
// for the beginning of an epoch, which is therefore told after its first step.
func (t *telling) step(loop *train.Loop, metrics []*tensors.Tensor) error {
	epoch, batch := int64(loop.LoopStep/t.o.StepsPerEpoch), int64(loop.LoopStep%t.o.StepsPerEpoch)
	var err error
	if !t.open {
		t.epoch, t.open = epoch, true
		err = t.all.OnEpochBegin(t.ctx, epoch)
	}
	t.logs = logsOf(loop.Trainer, metrics)
	if err == nil {
		err = t.all.OnBatchEnd(t.ctx, batch, t.logs)
	}
	if err == nil && batch+1 == int64(t.o.StepsPerEpoch) || errors.Is(err, callbacks.ErrStop) {
		if ended := t.endEpoch(); ended != nil {
			err = ended
		}
	}
	return t.stop(err)
}

func (t *telling) endEpoch() error {
	t.open = false
	logs := maps.Clone(t.logs)
	if t.o.Validate != nil {
		more, err := t.o.Validate()
		if err != nil {
			return err
		}
		maps.Copy(logs, more)
	}
	return t.all.OnEpochEnd(t.ctx, t.epoch, logs)
}

// stop tells the end of a training that a callback ends: the loop's own hook
// is not called then.
func (t *telling) stop(err error) error {
	if !errors.Is(err, callbacks.ErrStop) {
		return err
	}
	t.ended = true
	if failed := t.all.OnTrainEnd(t.ctx); failed != nil {
		return failed
	}
	return err
}

// end tells that all steps are done, and of the epoch that has no other end.
func (t *telling) end(*train.Loop, []*tensors.Tensor) error {
	t.ended = true
	if t.open && t.o.StepsPerEpoch == math.MaxInt {
		if err := t.endEpoch(); err != nil && !errors.Is(err, callbacks.ErrStop) {
			return err
		}
	}
	return t.all.OnTrainEnd(t.ctx)
}

// logsOf returns the metrics that are single numbers. They are in the
// computer's memory already: the loop has brought them there.
func logsOf(trainer *train.Trainer, metrics []*tensors.Tensor) callbacks.Logs {
	logs := make(callbacks.Logs, len(metrics))
	for i, m := range trainer.TrainMetrics() {
		if i < len(metrics) && metrics[i].Shape().IsScalar() {
			name := strings.ReplaceAll(strings.ToLower(m.Name()), " ", "_")
			logs[name] = shapes.ConvertTo[float64](metrics[i].Value())
		}
	}
	return logs
}
