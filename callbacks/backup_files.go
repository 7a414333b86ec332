package callbacks

import (
	"context"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/schedule"
)

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

// remove removes the backups. What a crash leaves of them is a backup, which
// another training finds, and ends at once.
func (b *BackupAndRestore) remove(ctx context.Context) error {
	return checkpoint.Remove(ctx, b.dir, b.manager.Checkpoints()...)
}
