package callbacks

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// ModelCheckpointOptions change what a ModelCheckpoint saves, and when. Nil and
// zero values are the defaults.
type ModelCheckpointOptions struct {
	// Monitor is the metric that says which model is the best. Default:
	// "val_loss". (TensorFlow: monitor)
	Monitor string
	// Mode says which of its values are better. Default: Auto.
	Mode Mode
	// SaveBestOnly saves only what is better than all before, those of earlier
	// processes in the same files included. NaN never is, and where the metric
	// is missing nothing is saved: both are told to the Logger.
	// (TensorFlow: save_best_only)
	SaveBestOnly bool
	// InitialValueThreshold is what the first must be better than, with
	// SaveBestOnly. (TensorFlow: initial_value_threshold)
	InitialValueThreshold *float64
	// Optimizer is saved with the model, as its child "optimizer".
	Optimizer trackable.Object
	// SaveWeightsOnly saves the model without the optimizer.
	// (TensorFlow: save_weights_only)
	SaveWeightsOnly bool
	// Every says when to save, or to compare with the best. Default:
	// schedule.Epochs(1). schedule.Steps counts the batches that this process
	// has seen, unless there is a StepCounter. (TensorFlow: save_freq)
	Every schedule.Schedule
	// StepCounter returns the training step, which then goes on over restarts.
	StepCounter func() int64
	// LoadWeightsOnRestart restores the newest file of the pattern when a
	// training begins. (TensorFlow: load_weights_on_restart)
	LoadWeightsOnRestart bool
	// MaxToKeep is how many files stay; older ones are removed. 0 keeps all.
	// With SaveBestOnly these are the best so many.
	MaxToKeep int
	// Retention decides instead of MaxToKeep. The newest file stays whatever
	// it says, and so do those that are pinned.
	Retention retention.Policy
	// Logger is told of saves and of what was not saved. Default: nobody.
	// (TensorFlow: verbose)
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// ModelCheckpoint saves a model under names that say what it is, such as
// "cp-07-0.31": after each epoch, or each so many batches, or only the best.
// What it writes are TensorFlow's files, for tf.keras's load_weights as for
// checkpoint.Load; Keras's own formats it does not write.
// (TensorFlow: tf.keras.callbacks.ModelCheckpoint)
type ModelCheckpoint struct {
	None
	dir     storage.Dir
	pattern *Pattern
	c       *checkpoint.Checkpoint
	o       ModelCheckpointOptions

	monitor monitor
	at      position
	asked   schedule.History // Every's, of the times it was due
	begun   bool
	files   []retention.Checkpoint // those of the pattern, oldest first
	failed  error                  // what the last sweep could not remove
}

// NewModelCheckpoint returns a callback that saves model into files of dir
// whose names the pattern makes; see Pattern. Placeholders are "epoch", counted
// from 1, "batch" likewise where Every was due after a batch, and the logs.
// (TensorFlow: tf.keras.callbacks.ModelCheckpoint)
func NewModelCheckpoint(dir storage.Dir, pattern string, model trackable.Object, o *ModelCheckpointOptions) (*ModelCheckpoint, error) {
	m := &ModelCheckpoint{dir: dir, at: newPosition()}
	if o != nil {
		m.o = *o
	}
	m.o.setDefaults()
	var err error
	if m.pattern, err = ParsePattern(pattern); err == nil {
		m.monitor, err = newMonitor(m.o.Monitor, "val_loss", m.o.Mode)
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, fmt.Errorf("model checkpoint: %w", err)
	}
	var objects checkpoint.Objects
	if m.o.Optimizer != nil && !m.o.SaveWeightsOnly {
		objects = checkpoint.Objects{"optimizer": m.o.Optimizer}
	}
	m.c = checkpoint.New(model, objects, &checkpoint.Options{Logger: m.o.Logger, Now: m.o.Now})
	return m, nil
}

func (o *ModelCheckpointOptions) setDefaults() {
	if o.Every == nil {
		o.Every = schedule.Epochs(1)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Retention == nil && o.MaxToKeep > 0 {
		o.Retention = retention.Latest(o.MaxToKeep)
	}
}

func (m *ModelCheckpoint) check() error {
	if m.o.MaxToKeep < 0 {
		return fmt.Errorf("MaxToKeep is %d, want a positive number, or 0 to keep all", m.o.MaxToKeep)
	}
	if err := schedule.Check(m.o.Every); err != nil {
		return err
	}
	if !m.o.SaveBestOnly {
		return nil
	}
	if t := m.o.InitialValueThreshold; t != nil {
		if math.IsNaN(*t) {
			return fmt.Errorf("InitialValueThreshold is NaN: nothing would ever be better")
		}
		m.monitor.best = *t
	}
	return m.monitor.check()
}

// OnTrainBegin finds the files of the pattern, and with them the best value so
// far. It may be called again for another training.
func (m *ModelCheckpoint) OnTrainBegin(ctx context.Context) error {
	m.begun = false
	if err := m.take(ctx); err != nil {
		return fmt.Errorf("model checkpoint: %w", err)
	}
	if !m.o.LoadWeightsOnRestart {
		return nil
	}
	if err := m.load(ctx); err != nil {
		return fmt.Errorf("model checkpoint: %w", err)
	}
	return nil
}

// OnEpochBegin takes note of the epoch.
func (m *ModelCheckpoint) OnEpochBegin(_ context.Context, epoch int64) error {
	m.at.begin(epoch)
	if !m.begun {
		m.begun, m.asked = true, schedule.Since(m.moment(nil))
	}
	return nil
}

// OnBatchEnd saves if that is due.
func (m *ModelCheckpoint) OnBatchEnd(ctx context.Context, batch int64, logs Logs) error {
	m.at.batchEnd(batch)
	return m.saveIfDue(ctx, logs, func(field string) (any, bool) {
		if v, ok := logs[field]; ok && field == "batch" {
			return v, true
		}
		return batch + 1, field == "batch"
	})
}

// OnEpochEnd saves if that is due.
func (m *ModelCheckpoint) OnEpochEnd(ctx context.Context, epoch int64, logs Logs) error {
	m.at.epochEnd(epoch)
	return m.saveIfDue(ctx, logs, func(string) (any, bool) { return nil, false })
}

func (m *ModelCheckpoint) moment(logs Logs) schedule.Moment {
	now := schedule.Moment{Step: m.at.steps, Epoch: m.at.epochs, Time: m.o.Now(), Metrics: logs}
	if m.o.StepCounter != nil {
		now.Step = m.o.StepCounter()
	}
	return now
}

// saveIfDue asks Every and then, if it is about the best, whether this is it.
// Only a save that failed is asked about again at the next occasion.
func (m *ModelCheckpoint) saveIfDue(ctx context.Context, logs Logs, value func(string) (any, bool)) error {
	now := m.moment(logs)
	reason, due := m.o.Every.Due(m.asked, now)
	if !due {
		return nil
	}
	name, err := m.pattern.Format(func(field string) (any, bool) {
		if field == "epoch" {
			return m.at.epoch + 1, true
		}
		if v, ok := value(field); ok {
			return v, true
		}
		v, ok := logs[field]
		return v, ok
	})
	if err == nil && (!m.o.SaveBestOnly || m.improves(logs)) {
		err = m.save(ctx, name, reason, now)
	}
	if err != nil {
		return fmt.Errorf("model checkpoint: epoch %d: %w", m.at.epoch+1, err)
	}
	m.asked = m.asked.And(now)
	return nil
}

// improves says whether the metric is better than the best. What it is not it
// tells the Logger: a training that saves nothing should not be silent.
func (m *ModelCheckpoint) improves(logs Logs) bool {
	v, ok := logs[m.monitor.metric]
	switch epoch := m.at.epoch + 1; {
	case !ok:
		m.o.Logger.Warn("not saved: there is no value to tell the best by", "metric", m.monitor.metric, "epoch", epoch)
	case math.IsNaN(v):
		m.o.Logger.Warn("not saved: the value to tell the best by is NaN", "metric", m.monitor.metric, "epoch", epoch)
	case m.monitor.better(v, m.monitor.best):
		return true
	default:
		m.o.Logger.Info("not saved: no improvement", "metric", m.monitor.metric, "value", v, "best", m.monitor.best, "epoch", epoch)
	}
	return false
}

func (m *ModelCheckpoint) save(ctx context.Context, name, reason string, now schedule.Moment) error {
	o := &checkpoint.SaveAsOptions{Epoch: &now.Epoch, Metrics: now.Metrics}
	if m.o.StepCounter != nil { // else it counts from where this process began
		o.Step = &now.Step
	}
	if err := m.c.SaveAs(ctx, m.dir, name, o); err != nil {
		return err
	}
	m.o.Logger.Info("saved", "path", name, "reason", reason, "epoch", m.at.epoch+1)
	m.saved(retention.Checkpoint{Path: name, Step: o.Step, Epoch: o.Epoch, Time: now.Time, Metrics: now.Metrics})
	if m.failed = m.sweep(ctx); m.failed != nil {
		m.o.Logger.Warn("surplus files stay until the next save", "err", m.failed)
	}
	return nil
}

// OnTrainEnd removes what the last save could not remove, or says why not.
func (m *ModelCheckpoint) OnTrainEnd(ctx context.Context) error {
	if m.failed == nil {
		return nil
	}
	if m.failed = m.sweep(ctx); m.failed != nil {
		return fmt.Errorf("model checkpoint: %w", m.failed)
	}
	return nil
}
