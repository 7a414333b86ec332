package callbacks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// EarlyStoppingOptions change when an EarlyStopping stops. Nil and zero values
// are the defaults.
type EarlyStoppingOptions struct {
	// Monitor is the metric that should improve. Default: "val_loss".
	Monitor string
	// Mode says which of its values are better. Default: Auto.
	Mode Mode
	// MinDelta is what counts as an improvement. (TensorFlow: min_delta)
	MinDelta float64
	// Patience is how many epochs in a row may pass without one.
	// (TensorFlow: patience)
	Patience int64
	// Baseline is what must be surpassed besides the best. (TensorFlow: baseline)
	Baseline *float64
	// StartFromEpoch is the first epoch that is looked at.
	// (TensorFlow: start_from_epoch)
	StartFromEpoch int64
	// RestoreBestWeights is where the best state of Model is kept, to be
	// restored when the training ends: mem.Dir() keeps it in memory, a place
	// on a disk over a restart. (TensorFlow: restore_best_weights)
	RestoreBestWeights storage.Dir
	// Model is what RestoreBestWeights is about.
	Model trackable.Object
	// Logger is told of missing metrics and of the end. Default: nobody.
	Logger *slog.Logger
}

// EarlyStopping ends a training that improves no more.
// (TensorFlow: tf.keras.callbacks.EarlyStopping)
type EarlyStopping struct {
	None
	o       EarlyStoppingOptions
	monitor monitor
	c       *checkpoint.Checkpoint
	s       stoppingState
	state   trackable.Object
}

// stoppingState is what a restart must not forget.
type stoppingState struct {
	Best      float64 // or the worst there could be
	BestEpoch int64   // -1: none yet
	Wait      int64   // epochs since
}

const bestName = "best"

// NewEarlyStopping returns a callback whose OnEpochEnd returns ErrStop when the
// metric has not improved for too long.
// (TensorFlow: tf.keras.callbacks.EarlyStopping)
func NewEarlyStopping(o *EarlyStoppingOptions) (*EarlyStopping, error) {
	e := new(EarlyStopping)
	if o != nil {
		e.o = *o
	}
	if e.o.Logger == nil {
		e.o.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if e.monitor, err = newMonitor(e.o.Monitor, "val_loss", e.o.Mode); err == nil {
		err = e.check()
	}
	if err != nil {
		return nil, fmt.Errorf("early stopping: %w", err)
	}
	e.monitor.delta = math.Abs(e.o.MinDelta)
	e.reset()
	e.c = checkpoint.New(e.o.Model, nil, nil)
	e.state, err = trackable.Struct(&e.s)
	return e, err
}

func (e *EarlyStopping) check() error {
	if err := e.monitor.check(); err != nil {
		return err
	}
	switch b := e.o.Baseline; {
	case math.IsNaN(e.o.MinDelta) || b != nil && math.IsNaN(*b):
		return errors.New("MinDelta or Baseline is NaN: nothing would ever be better")
	case (e.o.RestoreBestWeights == nil) != (e.o.Model == nil):
		return errors.New("RestoreBestWeights and Model need each other")
	}
	return nil
}

func (e *EarlyStopping) reset() { e.s = stoppingState{Best: e.monitor.best, BestEpoch: -1} }

// State returns the best value and how long ago it was, for a checkpoint: with
// it among the objects of a BackupAndRestore a restart does not forget them.
func (e *EarlyStopping) State() trackable.Object { return e.state }

// OnEpochEnd returns ErrStop when it is time to stop. The first epoch never
// is (tf_keras, callbacks.py, EarlyStopping).
func (e *EarlyStopping) OnEpochEnd(ctx context.Context, epoch int64, logs Logs) error {
	v, ok := logs[e.monitor.metric]
	if !ok {
		e.o.Logger.Warn("no value to stop by", "metric", e.monitor.metric, "epoch", epoch+1)
	}
	if !ok || epoch < e.o.StartFromEpoch {
		return nil
	}
	better := e.monitor.better(v, e.s.Best)
	if better || e.s.BestEpoch < 0 { // where nothing ever improves, the first is the best
		if err := e.keep(ctx); err != nil {
			return err
		}
		e.s.BestEpoch = epoch
	}
	e.s.Wait++
	if better {
		e.s.Best = v
		if e.o.Baseline == nil || e.monitor.better(v, *e.o.Baseline) {
			e.s.Wait = 0
		}
		return nil
	}
	if e.s.Wait < e.o.Patience || epoch == 0 {
		return nil
	}
	e.o.Logger.Info("early stopping", "metric", e.monitor.metric, "best", e.s.Best, "best_epoch", e.s.BestEpoch+1, "epoch", epoch+1)
	return ErrStop
}

func (e *EarlyStopping) keep(ctx context.Context) error {
	if e.o.RestoreBestWeights == nil {
		return nil
	}
	if err := e.c.Write(ctx, e.o.RestoreBestWeights, bestName); err != nil {
		return fmt.Errorf("early stopping: %w", err)
	}
	return nil
}

// OnTrainEnd restores the best weights, if they were to be kept, and makes the
// callback ready for another training.
func (e *EarlyStopping) OnTrainEnd(ctx context.Context) error {
	seen := e.s.BestEpoch >= 0
	e.reset()
	if e.o.RestoreBestWeights == nil || !seen {
		return nil
	}
	status, err := e.c.Read(ctx, e.o.RestoreBestWeights, bestName)
	if err == nil {
		err = status.AssertExistingObjectsMatched()
	}
	if err != nil {
		return fmt.Errorf("early stopping: %w", err)
	}
	return nil
}
