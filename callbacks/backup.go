package callbacks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// BackupOptions change how a BackupAndRestore works. Nil and zero values are
// the defaults.
type BackupOptions struct {
	// Every says when to back up. Default: schedule.Epochs(1). For a machine
	// that may be taken away add a schedule.Signal or a schedule.Request.
	// (TensorFlow: save_freq, save_before_preemption)
	Every schedule.Schedule
	// BatchesPerEpoch lets Position name the next epoch after an epoch's last
	// batch, as in tf-keras. Without it the position is behind that batch, so
	// that a loop begins with what it does at the epoch's end.
	BatchesPerEpoch int64
	// DoubleCheckpoint keeps two backups, and goes on from the older one when
	// the newer is damaged. (TensorFlow: double_checkpoint)
	DoubleCheckpoint bool
	// KeepCheckpoint leaves the backup when the training has ended.
	// (TensorFlow: delete_checkpoint=False)
	KeepCheckpoint bool
	// Logger is told of saves and of what was worked around. Default: nobody.
	Logger *slog.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// BackupAndRestore lets a training that was interrupted go on where its last
// backup was made, to the batch: position and objects are one checkpoint, so
// that neither can be there without the other. When the training ends well it
// removes the backups, and nothing else.
//
// Its files lie in the subdirectory "chief" under the names that tf-keras gives
// them, whose BackupAndRestore can go on from them where the objects are the
// same. (TensorFlow: tf.keras.callbacks.BackupAndRestore)
type BackupAndRestore struct {
	dir     storage.Dir
	c       *checkpoint.Checkpoint
	o       BackupOptions
	manager *checkpoint.Manager // of a training under way

	// What the checkpoint has besides the objects
	// (tf_keras, worker_training_state.py).
	epoch, batch, counter *trackable.Variable[int64]

	at    position
	start struct{ epoch, batch int64 }
	saved schedule.History
}

// Names of what is saved with the objects, and where.
const (
	epochName   = "ckpt_saved_epoch"
	batchName   = "ckpt_saved_batch"
	counterName = "train_counter"
	backupDir   = "chief"
	noBatch     = -1 // of a backup at the end of an epoch
)

// NewBackupAndRestore returns a callback that backs up objects in dir: the
// model, the optimizer, and whatever else the next step depends on, such as
// the order of the data and the state of random numbers.
// (TensorFlow: tf.keras.callbacks.BackupAndRestore)
func NewBackupAndRestore(dir storage.Dir, objects checkpoint.Objects, o *BackupOptions) (*BackupAndRestore, error) {
	b := &BackupAndRestore{dir: storage.Sub(dir, backupDir), at: newPosition()}
	if o != nil {
		b.o = *o
	}
	if b.o.Every == nil {
		b.o.Every = schedule.Epochs(1)
	}
	if b.o.Logger == nil {
		b.o.Logger = slog.New(slog.DiscardHandler)
	}
	if b.o.Now == nil {
		b.o.Now = time.Now
	}
	if err := b.check(objects); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	b.c = checkpoint.New(nil, objects, &checkpoint.Options{Logger: b.o.Logger, Now: b.o.Now})
	b.epoch, b.batch = trackable.NewScalar(epochName, int64(noBatch)), trackable.NewScalar(batchName, int64(noBatch))
	b.counter = trackable.NewScalar(counterName, int64(0))
	b.c.Track(epochName, b.epoch).Track(batchName, b.batch).Track(counterName, b.counter)
	return b, nil
}

func (b *BackupAndRestore) check(objects checkpoint.Objects) error {
	for _, name := range []string{epochName, batchName, counterName} {
		if objects[name] != nil {
			return fmt.Errorf("object %q: the backup has one of this name itself", name)
		}
	}
	if len(objects) == 0 {
		return errors.New("there are no objects to back up")
	}
	if b.o.BatchesPerEpoch < 0 {
		return fmt.Errorf("BatchesPerEpoch is %d, want a positive number, or 0 if it is not known", b.o.BatchesPerEpoch)
	}
	return schedule.Check(b.o.Every)
}

// OnTrainBegin restores the newest backup, if there is one; see Position.
func (b *BackupAndRestore) OnTrainBegin(ctx context.Context) error {
	if err := b.begin(ctx); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func (b *BackupAndRestore) begin(ctx context.Context) error {
	if err := b.Close(ctx); err != nil { // of a training that ended with an error
		return err
	}
	o := &checkpoint.ManagerOptions{MaxToKeep: 1, Now: b.o.Now, Logger: b.o.Logger}
	if b.o.DoubleCheckpoint {
		o.MaxToKeep, o.Fallback = 2, true
	}
	var err error
	if b.manager, err = checkpoint.NewManager(ctx, b.c, b.dir, o); err != nil {
		return err
	}
	path, err := b.manager.RestoreOrInitialize(ctx)
	if err != nil {
		return err
	}
	b.start.epoch, b.start.batch, b.at = 0, 0, newPosition()
	if path != "" {
		if err := b.place(); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		b.o.Logger.Info("restored", "path", path, "epoch", b.start.epoch, "batch", b.start.batch)
	}
	b.at.epoch, b.at.epochs, b.at.batch = b.start.epoch, b.start.epoch, b.start.batch-1
	b.saved = schedule.Since(b.moment(nil))
	return nil
}

// place sets where a restored training goes on.
func (b *BackupAndRestore) place() error {
	epoch, batch, steps := b.epoch.Value[0], b.batch.Value[0], b.counter.Value[0]
	// What is before the first batch of all is after epoch -1.
	if epoch < -1 || epoch < 0 && batch != noBatch || batch < noBatch || steps < 0 || max(epoch, batch) == math.MaxInt64 {
		return fmt.Errorf("%s, %s and %s are %d, %d and %d, which no training comes to", epochName, batchName, counterName, epoch, batch, steps)
	}
	b.at.steps = steps
	b.start.epoch, b.start.batch = epoch, batch+1
	if n := b.o.BatchesPerEpoch; b.start.batch == 0 || n > 0 && b.start.batch >= n {
		b.start.epoch, b.start.batch = epoch+1, 0
	}
	return nil
}

// Position returns where the training goes on: the epoch, and the first of its
// batches that the restored objects have not seen; 0, 0 if nothing was
// restored. It is for after OnTrainBegin.
func (b *BackupAndRestore) Position() (epoch, batch int64) { return b.start.epoch, b.start.batch }

// Batches returns how many batches the objects were trained with.
func (b *BackupAndRestore) Batches() int64 { return b.at.steps }

// OnEpochBegin takes note of the epoch.
func (b *BackupAndRestore) OnEpochBegin(_ context.Context, epoch int64) error {
	b.at.begin(epoch)
	if epoch == b.start.epoch {
		b.at.batch = b.start.batch - 1
	}
	return nil
}

// OnBatchEnd backs up if that is due.
func (b *BackupAndRestore) OnBatchEnd(ctx context.Context, batch int64, logs Logs) error {
	b.at.batchEnd(batch)
	return b.saveIfDue(ctx, logs)
}

// OnEpochEnd backs up if that is due.
func (b *BackupAndRestore) OnEpochEnd(ctx context.Context, epoch int64, logs Logs) error {
	b.at.epochEnd(epoch)
	return b.saveIfDue(ctx, logs)
}

func (b *BackupAndRestore) moment(logs Logs) schedule.Moment {
	return schedule.Moment{Step: b.at.steps, Epoch: b.at.epochs, Time: b.o.Now(), Metrics: logs}
}

func (b *BackupAndRestore) saveIfDue(ctx context.Context, logs Logs) error {
	if _, due := b.o.Every.Due(b.saved, b.moment(logs)); !due {
		return nil
	}
	return b.backUp(ctx, logs)
}

// Backup backs up now, whether it is due or not, for a training that has
// begun: what was told last is where it will go on.
func (b *BackupAndRestore) Backup(ctx context.Context) error { return b.backUp(ctx, nil) }

func (b *BackupAndRestore) backUp(ctx context.Context, logs Logs) error {
	if b.manager == nil {
		return errors.New("backup: the training has not begun")
	}
	now := b.moment(logs)
	b.epoch.Value[0], b.batch.Value[0], b.counter.Value[0] = b.at.epoch, b.at.batch, b.at.steps
	switch {
	case b.at.epochs > b.at.epoch:
		b.batch.Value[0] = noBatch
	case b.at.batch < 0: // before the epoch's first batch is at the end of the one before
		b.epoch.Value[0]--
	}
	if _, err := b.manager.Save(ctx, &checkpoint.SaveOptions{Step: &now.Step, Epoch: &now.Epoch, Metrics: logs}); err != nil {
		return fmt.Errorf("backup: epoch %d: %w", b.at.epoch+1, err)
	}
	b.saved = b.saved.And(now)
	return nil
}

// OnTrainEnd removes the backups, unless they are to be kept.
func (b *BackupAndRestore) OnTrainEnd(ctx context.Context) error {
	var err error
	if b.manager != nil && !b.o.KeepCheckpoint {
		err = b.remove(ctx)
	}
	if err = errors.Join(err, b.Close(ctx)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// remove removes the backups. What a crash leaves of them is a backup, which
// another training finds, and ends at once.
func (b *BackupAndRestore) remove(ctx context.Context) error {
	return checkpoint.Remove(ctx, b.dir, b.manager.Checkpoints()...)
}

// Close lets other processes back up in the directory. A training that ends
// with an error needs it if the process goes on; OnTrainEnd includes it.
func (b *BackupAndRestore) Close(ctx context.Context) error {
	m := b.manager
	if b.manager = nil; m == nil {
		return nil
	}
	return m.Close(ctx)
}
