package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Save counts, saves the objects as "<prefix>-<count>" and makes that the
// latest checkpoint of its directory. It never overwrites: where the counter
// was not restored it goes on after the highest number present. When a manager
// is at work in the directory its list stays as it is; the new checkpoint is
// not managed. Restore is its counterpart.
//
// With Options.Async it returns the path before the checkpoint exists, "" if
// the save is skipped, and perhaps the error of an earlier save, an
// EarlierError, beside it.
// (TensorFlow: tf.train.Checkpoint.save)
func (c *Checkpoint) Save(ctx context.Context, dir storage.Dir, prefix string) (path string, err error) {
	s := c.newPlainSave(dir, prefix)
	if err = filename.Check(prefix + "-0"); err == nil {
		err = s.run(ctx, s.counted, s.writeAndRecord)
	}
	switch {
	case errors.Is(err, ErrSkipped):
		err = nil
	case err != nil:
		err = fmt.Errorf("save %s: %w", prefix, err)
	default:
		path = s.w.Path
	}
	return path, c.outcomes.before(err, c, s.begun)
}

// readToKeep reads what the next state file is to keep of this one. TensorFlow
// keeps nothing.
func (c *Checkpoint) readToKeep(ctx context.Context, dir storage.Dir) (State, error) {
	if c.o.Exactly.On() {
		return State{}, nil
	}
	return readIfUsable(ctx, dir)
}

// readIfUsable reads the state file, if there is one that makes sense.
func readIfUsable(ctx context.Context, dir storage.Dir) (State, error) {
	s, err := ReadState(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) || unlessIO(err) == nil && err != nil {
		return State{}, nil
	}
	if len(s.AllModelCheckpointTimestamps) != len(s.AllModelCheckpointPaths) {
		s.AllModelCheckpointTimestamps = nil
	}
	return s, err
}

// nextFree returns the number after was, or after the highest present, and
// whether it has made sure that nothing is there of that. The
// directory need not be listed to know that if was is what the state file
// says, and the number after it is free.
func nextFree(ctx context.Context, dir storage.Dir, name string, s State, was int64) (n int64, free bool, err error) {
	if n, err = after(was); err != nil {
		return 0, false, err
	}
	if s.ModelCheckpointPath == filename.Numbered(name, was) {
		is, err := shelf.Taken(ctx, dir, filename.Numbered(name, n))
		if err != nil || !is {
			return n, true, err
		}
	}
	aside, err := shelf.HighestQuarantined(ctx, dir, name)
	if err != nil {
		return 0, false, err
	}
	sets, err := shelf.Scan(ctx, dir, name+"-")
	if err != nil {
		return 0, false, err
	}
	n, err = after(max(was, aside, sets.Highest(name)))
	return n, false, err
}

// counting runs save with the save counter advanced already, to next,
// because it is saved too. If save fails the counter is as before; in
// TensorFlow it stays ahead.
func (c *Checkpoint) counting(next func(was int64) (int64, error), save func(count int64) error) error {
	counter, err := c.makeCounter()
	if err != nil {
		return err
	}
	was := counter.Value[0]
	count, err := next(was)
	if err != nil {
		return err
	}
	saved := false
	defer func() {
		if !saved { // also when it panics
			counter.Value[0] = was
		}
	}()
	counter.Value[0] = count
	err = save(count)
	saved = err == nil || c.o.Exactly.On()
	return err
}

// after returns the number after n.
func after(n int64) (int64, error) {
	if n == math.MaxInt64 {
		return 0, errors.New("the save counter is at its end")
	}
	return n + 1, nil
}

// Restore restores the objects from the checkpoint path, which is as Load's,
// save counter included. It waits until the asynchronous saves that were begun
// are written, and changes nothing before everything is read and verified, and closes the checkpoint's files. What the checkpoint has for
// objects that do not exist yet is restored when they are tracked.
// (TensorFlow: tf.train.Checkpoint.restore)
func (c *Checkpoint) Restore(ctx context.Context, dir storage.Dir, path string) (*trackable.LoadStatus, error) {
	return c.restore(ctx, dir, path, false, c.o.Logger)
}

// restore is Restore; if matchExisting, of nothing that lacks a value for an
// object here. log is told of what is doubtful.
func (c *Checkpoint) restore(ctx context.Context, dir storage.Dir, path string, matchExisting bool, log *slog.Logger) (*trackable.LoadStatus, error) {
	done, err := c.use(ctx)
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", path, err)
	}
	defer done()
	if _, err := c.makeCounter(); err != nil {
		return nil, fmt.Errorf("restore %s: %w", path, err)
	}
	return c.read(ctx, dir, path, "restore", matchExisting, log)
}

// Read restores the objects from a checkpoint that Write made, without a save
// counter; otherwise as Restore. (TensorFlow: tf.train.Checkpoint.read)
func (c *Checkpoint) Read(ctx context.Context, dir storage.Dir, path string) (*trackable.LoadStatus, error) {
	done, err := c.use(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	defer done()
	return c.read(ctx, dir, path, "read", false, c.o.Logger)
}

func (c *Checkpoint) read(ctx context.Context, dir storage.Dir, path, verb string, matchExisting bool, log *slog.Logger) (*trackable.LoadStatus, error) {
	if c.misuse != nil {
		return nil, c.misuse
	}
	if err := c.queue.Wait(ctx); err != nil {
		return nil, fmt.Errorf("%s %s: saves are still being written: %w", verb, path, err)
	}
	r, err := Load(ctx, dir, path)
	if err != nil {
		c.distrust(err)
		return nil, fmt.Errorf("%s: %w", strings.TrimSpace(verb+" "+path), mendable(ctx, dir, path, err))
	}
	if doubt := r.doubt(ctx); doubt != nil && ctx.Err() == nil {
		log.Warn("the receipt is not believed, the checkpoint is restored without it", "path", r.Path(), "err", doubt)
	}
	status, err := c.restoreFrom(r, matchExisting)
	closed := r.Close()
	if err != nil {
		c.distrust(err)
		return nil, fmt.Errorf("%s %s: %w", verb, r.Path(), alsoFailed(mendable(ctx, dir, r.stored, err), closed))
	}
	if closed != nil { // too late for an error: the objects have their values
		c.o.Logger.Warn("files of a restored checkpoint could not be closed", "path", r.Path(), "err", closed)
	}
	return status, nil
}

// distrust keeps damage that was met from getting into what is saved next: files
// of the last save may be those that are bad, or share them.
func (c *Checkpoint) distrust(err error) {
	if isBad(err) {
		c.lineage.Distrust()
	}
}

// restoreFrom matches objects by the graph, or by their variables' names where
// TensorFlow 1 stored no graph.
func (c *Checkpoint) restoreFrom(r *Reader, matchExisting bool) (*trackable.LoadStatus, error) {
	root, _ := c.node0()
	c.lineage.Doubt()
	o := &trackable.RestoreOptions{
		Attached:          c.TrackableChildren(), // of itself, too: no child is repeated
		Optional:          []string{counterName},
		SkipSlotVariables: c.o.SkipSlotVariables,
		StageLimit:        c.o.StageLimit,
		InPlace:           c.o.InPlace,
		Mode:              c.o.Mode,
		MatchExisting:     matchExisting && c.o.Mode&trackable.SkipMismatched == 0,
	}
	src := r.source()
	if _, err := r.Info(trackable.GraphKey); errors.Is(err, format.ErrNoTensor) {
		return trackable.RestoreByName(root, src, nil, o)
	}
	return trackable.Restore(root, src, o)
}
