// Package preemption saves before the machine is taken away: a signal, or a
// function that knows, announces the end; all workers train one more step, save
// at the same step, and exit with a code that asks for a restart.
//
//	handler, err := preemption.NewCheckpointHandler(ctx, manager, nil)
//	for step := handler.TotalRunCalls(); step < steps; step++ {
//		if err := handler.Run(ctx, train); err != nil {
//			return err
//		}
//	}
//	return handler.Close(ctx)
package preemption

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/storage"
)

// RestartCode is the exit code of a program that is to be started again.
const RestartCode = 42

// TerminationConfig says how the end announces itself, how much time there is,
// and what to do then. Nil and zero values are the defaults.
// (TensorFlow: tf.distribute.experimental.TerminationConfig)
type TerminationConfig struct {
	// Signals announce the end. Default: SIGTERM, if there is no Watcher.
	// What else the program does about them it goes on doing, but for dying:
	// as long as there is a handler, they end nothing by themselves.
	Signals []os.Signal
	// Watcher is asked again and again whether the end is announced, and is
	// not to block. (TensorFlow: termination_watcher_fn)
	Watcher func(ctx context.Context) bool
	// PollInterval is how long to wait between two questions. Default: 1 s.
	PollInterval time.Duration
	// GracePeriod is how long after the announcement training may go on: there
	// is a save at once, and another one just before the time is over.
	// Default: none, the first save is the last. (TensorFlow: grace_period)
	GracePeriod time.Duration
	// Deadline is how long after the announcement the machine is taken away.
	// If that is too soon for a full save, Weights are saved, and if even
	// that is too much, only what asynchronous saves have begun is written.
	// Default: GracePeriod; if that is 0 it is not known, and as long as it
	// takes is taken.
	Deadline time.Duration
	// Weights are what is saved when there is no time for all.
	Weights *Weights
	// Save saves instead of the manager. It is not to return before the
	// checkpoint is durable. (TensorFlow: save_fn)
	Save func(ctx context.Context, m *checkpoint.Manager) (path string, err error)
	// Exit is called after the last save. Default: os.Exit(RestartCode). If it
	// returns, so does Run, with a *PreemptedError. (TensorFlow: exit_fn)
	Exit func()
	// Workers are those that train together: the end of one is the end of
	// all, who save at the same number of Run calls. The manager's Checkpoint
	// is to have the same Options.Workers. Default: one is alone.
	// (TensorFlow: cluster_resolver)
	Workers coordinator.Group
	// AgreeEvery is after how many Run calls the workers ask each other.
	// Default: each.
	AgreeEvery int64
	// Logger is told what happens.
	Logger *slog.Logger
}

// Weights are a smaller Checkpoint, and where it is written.
type Weights struct {
	Checkpoint *checkpoint.Checkpoint
	Dir        storage.Dir
	Path       string // default: "preempted-weights"
}

// complete checks the config and fills in the defaults.
func (o *TerminationConfig) complete() error {
	for what, d := range map[string]time.Duration{"PollInterval": o.PollInterval, "GracePeriod": o.GracePeriod, "Deadline": o.Deadline} {
		if d < 0 {
			return fmt.Errorf("%s is %v, want 0 or more", what, d)
		}
	}
	if o.AgreeEvery < 0 {
		return fmt.Errorf("AgreeEvery is %d, want 0 or more", o.AgreeEvery)
	}
	if w := o.Weights; w != nil && (w.Checkpoint == nil || w.Dir == nil) {
		return errors.New("Weights: need a Checkpoint and a Dir")
	}
	if o.Signals == nil && o.Watcher == nil {
		o.Signals = []os.Signal{syscall.SIGTERM}
	}
	if o.PollInterval == 0 {
		o.PollInterval = time.Second
	}
	if o.Deadline == 0 {
		o.Deadline = o.GracePeriod
	}
	if o.Exit == nil {
		o.Exit = func() { os.Exit(RestartCode) }
	}
	if o.Workers == nil {
		o.Workers = coordinator.Solo()
	}
	o.AgreeEvery = max(o.AgreeEvery, 1)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (w *Weights) path() string {
	if w.Path == "" {
		return "preempted-weights"
	}
	return w.Path
}
