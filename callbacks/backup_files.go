package callbacks

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
)

// restore restores the newest backup or, of two, the older one if the newer is
// damaged. Where no backup can be restored that is an error, and no new start.
func (b *BackupAndRestore) restore(ctx context.Context) (string, error) {
	path, err := b.manager.RestoreOrInitialize(ctx)
	if err == nil || !b.o.DoubleCheckpoint || !errors.Is(err, format.ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	newest := b.manager.LatestCheckpoint()
	for _, older := range b.manager.Checkpoints() {
		if older == newest {
			break
		}
		b.o.Logger.Warn("the newest backup is damaged, the one before it takes its place", "err", err, "path", older)
		status, failed := b.c.Restore(ctx, b.dir, older)
		if failed == nil {
			failed = status.AssertExistingObjectsMatched()
		}
		if failed != nil {
			return "", errors.Join(err, failed)
		}
		return older, nil
	}
	return "", err
}

// place sets where the training goes on.
func (b *BackupAndRestore) place(restored bool) {
	b.start.epoch, b.start.batch, b.at = 0, 0, newPosition()
	if restored {
		b.at.steps = b.counter.Value[0]
		b.start.epoch, b.start.batch = b.epoch.Value[0], b.batch.Value[0]+1
		if n := b.o.BatchesPerEpoch; b.start.batch == 0 || n > 0 && b.start.batch >= n {
			b.start.epoch, b.start.batch = b.start.epoch+1, 0
		}
	}
	b.at.epoch, b.at.epochs, b.at.batch = b.start.epoch, b.start.epoch, b.start.batch-1
	b.saved = schedule.Since(b.moment(nil))
}

// remove removes the state file first: what a crash leaves then is a backup,
// which another training finds, and ends at once.
func (b *BackupAndRestore) remove(ctx context.Context) error {
	paths := b.manager.Checkpoints()
	if len(paths) == 0 {
		return nil
	}
	if err := storage.RemoveAll(ctx, b.dir, []string{"checkpoint"}); err != nil {
		return err
	}
	for _, path := range paths { // the newest last
		if err := checkpoint.Remove(ctx, b.dir, path); err != nil {
			return err
		}
	}
	return nil
}
