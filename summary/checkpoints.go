package summary

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/storage"
)

// The curves that Checkpoints draws; a metric's is MetricPrefix and its name.
const (
	SaveSeconds  = "checkpoint/save_seconds" // how long the writing took
	SaveBytes    = "checkpoint/bytes"        // data and index of the checkpoint
	DiskBytes    = "checkpoint/disk_bytes"   // all checkpoints of the directory; what several share, once
	MetricPrefix = "metrics/"
)

// CheckpointsOptions change what Checkpoints does. Nil and zero values are the
// defaults.
type CheckpointsOptions struct {
	// Next are hooks of the caller's own, called first.
	Next *checkpoint.Hooks
	// Logger is told what could not be written: no save fails for it.
	// Default: nobody.
	Logger *slog.Logger
}

// Checkpoints returns hooks for the Manager of dir that write a point to each
// of the curves above when a checkpoint is committed, and flush them. The step
// is the receipt's, or the save counter where it has none. The directory is
// listed once, at the first save; from then on the hooks keep count, of what
// was there when a checkpoint was committed and before others were removed.
func Checkpoints(w *Writer, dir storage.Dir, o *CheckpointsOptions) *checkpoint.Hooks {
	c := &checkpoints{w: w, dir: dir}
	if o != nil {
		c.o = *o
	}
	if c.o.Logger == nil {
		c.o.Logger = slog.New(slog.DiscardHandler)
	}
	hooks := &checkpoint.Hooks{}
	if c.o.Next != nil {
		*hooks = *c.o.Next
	}
	hooks.AfterCommit = both(hooks.AfterCommit, c.committed)
	hooks.AfterRemoval = both(hooks.AfterRemoval, c.removed)
	return hooks
}

type hook func(context.Context, checkpoint.Event)

func both(first, then hook) hook {
	return func(ctx context.Context, e checkpoint.Event) {
		if first != nil {
			first(ctx, e)
		}
		then(ctx, e)
	}
}

type checkpoints struct {
	w   *Writer
	dir storage.Dir
	o   CheckpointsOptions

	mu   sync.Mutex
	disk *disk // nil: not listed yet
}

func (c *checkpoints) committed(ctx context.Context, e checkpoint.Event) {
	values := []tfevents.Value{
		tfevents.Scalar(SaveSeconds, e.Duration.Seconds()),
		tfevents.Scalar(SaveBytes, float64(e.Bytes)),
	}
	if disk, err := c.account(ctx, e); err != nil {
		c.o.Logger.Warn("disk use is not known", "path", e.Path, "err", err)
	} else {
		values = append(values, tfevents.Scalar(DiskBytes, float64(disk)))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Receipt.Metrics)) {
		values = append(values, tfevents.Scalar(MetricPrefix+name, e.Receipt.Metrics[name]))
	}
	step := e.Receipt.SaveCounter
	if e.Receipt.Step != nil {
		step = *e.Receipt.Step
	}
	err := c.w.Write(step, values...)
	if err == nil {
		err = c.w.Flush()
	}
	if err != nil {
		c.o.Logger.Warn("summary of a save is not written", "path", e.Path, "err", err)
	}
}

// account adds a checkpoint and returns the bytes of all.
func (c *checkpoints) account(ctx context.Context, e checkpoint.Event) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.disk == nil {
		var err error
		if c.disk, err = listDisk(ctx, c.dir); err != nil {
			return 0, err
		}
	}
	size := int64(0) // what was written is less, where a save shares an earlier one's files
	for _, f := range slices.Concat(e.Receipt.Files, e.Receipt.Parity) {
		size += f.Size
	}
	c.disk.add(e.Path, size, e.Receipt)
	return c.disk.sum, nil
}

func (c *checkpoints) removed(_ context.Context, e checkpoint.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.disk != nil {
		c.disk.remove(e.Path)
	}
}
