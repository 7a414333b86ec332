package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/schedule"
)

// ManagerOptions change how a Manager works. Nil and zero values are the
// defaults.
type ManagerOptions struct {
	// MaxToKeep is how many checkpoints stay in the list; older ones are
	// removed. 0 keeps all, so that forgetting it deletes nothing.
	// (TensorFlow: max_to_keep)
	MaxToKeep int
	// KeepCheckpointEvery preserves, of the checkpoints that leave the list,
	// those that are so much newer than the one preserved before.
	// (TensorFlow: keep_checkpoint_every_n_hours)
	KeepCheckpointEvery time.Duration
	// CheckpointName is what checkpoints are called: "ckpt", the default,
	// gives "ckpt-1". A manager lists and removes those of its own name.
	// (TensorFlow: checkpoint_name)
	CheckpointName string
	// StepCounter returns the training step. (TensorFlow: step_counter)
	StepCounter func() int64
	// CheckpointInterval is how many steps there are at least between two
	// saves; it needs StepCounter. (TensorFlow: checkpoint_interval)
	CheckpointInterval int64
	// Every says which saves are due, instead of CheckpointInterval; Force
	// saves whatever it says. It sees the step, epoch and metrics that a save
	// is told, and those of earlier processes' saves in their receipts. One
	// that counts steps or epochs needs every save to tell them.
	Every schedule.Schedule
	// LastCheckpointStep is the step that CheckpointInterval counts from
	// before the first save. Nil: the first save is due.
	// (TensorFlow: last_checkpoint_step)
	LastCheckpointStep *int64
	// InitFn is called by RestoreOrInitialize when there is nothing to
	// restore. (TensorFlow: init_fn)
	InitFn func(context.Context) error
	// Partial lets RestoreOrInitialize restore a checkpoint that has no value
	// for some of the objects here, as TensorFlow does. Without it that is an
	// error, because a variable that was renamed would silently begin anew.
	Partial bool
	// Fallback lets RestoreOrInitialize go back to an older checkpoint where
	// a newer one is broken: its bytes are damaged, or a file of it is
	// missing. Each is told to the Logger and by PassedOver. Of several workers
	// all must have it, or Validate, and call RestoreOrInitialize together:
	// what one passes over all do.
	Fallback bool
	// Validate runs what RestoreOrInitialize has restored, and rejects a
	// checkpoint whose metrics are not those of its receipt.
	Validate *Validation
	// Retention decides in the place of MaxToKeep and KeepCheckpointEvery, which
	// are retention.Latest and retention.Every and cannot be set besides, about
	// all checkpoints that managers of this name have saved and that were not
	// preserved for good. What it keeps for another reason than that it is one
	// of the latest is not listed in the state file, so that a TensorFlow
	// manager does not remove it later; its receipt says why it is there. The
	// floors of package retention hold whatever it says.
	Retention retention.Policy
	// MakeRoom lets a save that does not fit on the disk remove beforehand
	// what retention would remove after it, the oldest first and no more than
	// needed. The floors hold: the newest checkpoint there is stays. Without
	// it, and where that is not enough, such a save is refused, by a
	// NoSpaceError, before anything is written.
	MakeRoom bool
	// WarnBelow is how many free bytes the Logger is warned below, after a
	// save. 0: twice what that took; negative: never.
	WarnBelow int64
	// Async makes saves asynchronous. Default: as the Checkpoint's options
	// say. (TensorFlow: enable_async)
	Async *Async
	// Hooks are called when something happens.
	// (TensorFlow: experimental_write_callbacks)
	Hooks *Hooks
	// Run is what the run is called that this is, for receipts. Package
	// experiment sets it.
	Run string
	// Revision is the version of the program's source, for receipts.
	// Default: BuildRevision.
	Revision *Revision
	// Now is the clock. Default: that of the Checkpoint's options.
	Now func() time.Time
	// Logger is told of saves and of what was worked around. Default: that
	// of the Checkpoint's options.
	Logger *slog.Logger
}

func (o *ManagerOptions) check() error {
	switch {
	case o.MaxToKeep < 0:
		return fmt.Errorf("MaxToKeep is %d, want a positive number, or 0 to keep all", o.MaxToKeep)
	case o.KeepCheckpointEvery < 0:
		return fmt.Errorf("KeepCheckpointEvery is %v, want a positive duration, or 0 for none", o.KeepCheckpointEvery)
	case o.Retention != nil && o.MaxToKeep > 0:
		return errors.New("MaxToKeep and Retention both say what stays: join retention.Latest to the policy by retention.Any")
	case o.Retention != nil && o.KeepCheckpointEvery > 0:
		return errors.New("KeepCheckpointEvery and Retention both say what stays: join retention.Every to the policy by retention.Any")
	case o.CheckpointInterval < 0:
		return fmt.Errorf("CheckpointInterval is %d, want a positive number of steps, or 0 for none", o.CheckpointInterval)
	case o.CheckpointInterval > 0 && o.Every != nil:
		return errors.New("CheckpointInterval and Every both say when to save")
	case o.CheckpointInterval > 0 && o.StepCounter == nil:
		return errors.New("CheckpointInterval needs a StepCounter")
	}
	if err := schedule.Check(o.Every); err != nil {
		return fmt.Errorf("option Every: %w", err)
	}
	if err := filename.Check(filename.Numbered(o.CheckpointName, 0)); err != nil {
		return fmt.Errorf("CheckpointName: %w", err)
	}
	if o.Async != nil {
		if err := o.Async.check(); err != nil {
			return err
		}
	}
	return o.Validate.check()
}

// policy returns what decides now. TensorFlow asks the hourly rule about what
// max_to_keep would remove, which Any does (see package retention); without
// max_to_keep it asks neither.
func (m *Manager) policy() retention.Policy {
	switch {
	case m.o.Retention != nil:
		return m.o.Retention
	case m.o.MaxToKeep == 0:
		return retention.Any()
	case m.o.KeepCheckpointEvery == 0:
		return retention.Latest(m.o.MaxToKeep)
	}
	return retention.Any(retention.Latest(m.o.MaxToKeep), retention.Every(m.o.KeepCheckpointEvery, m.l.LastPreserved))
}
