package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Save counts, saves the objects as "<prefix>-<count>" and makes that the
// latest checkpoint of its directory. It never overwrites: where the counter
// was not restored it goes on after the highest number present. When a manager
// is at work in the directory its list stays as it is; the new checkpoint is
// not managed. Restore is its counterpart.
// (TensorFlow: tf.train.Checkpoint.save)
func (c *Checkpoint) Save(ctx context.Context, dir storage.Dir, prefix string) (path string, err error) {
	if !c.busy.TryLock() {
		return "", fmt.Errorf("save %s: %w", prefix, ErrSaving)
	}
	defer c.busy.Unlock()
	err = exclusive(ctx, dir, func() (err error) {
		path, err = c.saveAlone(ctx, dir, prefix)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("save %s: %w", prefix, err)
	}
	return path, nil
}

func (c *Checkpoint) saveAlone(ctx context.Context, dir storage.Dir, prefix string) (string, error) {
	if err := checkPath(prefix + "-0"); err != nil {
		return "", err
	}
	sets, err := scan(ctx, dir, prefix+"-")
	if err != nil {
		return "", err
	}
	w := &writing{dir: dir, old: sets, now: c.o.Now, start: c.o.Now(), log: c.o.Logger}
	w.receipt.Writer = WriterSave
	err = c.counting(highest(sets, prefix), func(count int64) error {
		w.path = numbered(prefix, count)
		if err := c.publish(ctx, w); err != nil {
			return err
		}
		return recordPlain(ctx, dir, w.path)
	})
	return w.path, err
}

// counting runs save with the save counter advanced already, because it is
// saved too, and beyond taken. If save fails the counter is as before.
func (c *Checkpoint) counting(taken int64, save func(count int64) error) error {
	counter, err := c.makeCounter()
	if err != nil {
		return err
	}
	was := counter.Value[0]
	if max(was, taken) == math.MaxInt64 {
		return errors.New("the save counter is at its end")
	}
	counter.Value[0] = max(was, taken) + 1
	if err := save(counter.Value[0]); err != nil {
		counter.Value[0] = was
		return err
	}
	return nil
}

// recordPlain makes p the latest in the state file of p's own directory. It
// lists p alone and without a time, as TensorFlow does, unless the file has a
// manager's list. TensorFlow would wipe that; here it stays, and p is listed
// with the one time that tells every manager to leave it alone: that of the
// last preserved checkpoint.
func recordPlain(ctx context.Context, dir storage.Dir, p string) error {
	in, base := path.Split(p)
	if in != "" {
		dir = storage.Sub(dir, path.Clean(in))
	}
	old, err := ReadState(ctx, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil && unlessIO(err) != nil:
		return err
	}
	s := State{ModelCheckpointPath: base}
	if err == nil && len(old.AllModelCheckpointTimestamps) == len(old.AllModelCheckpointPaths) {
		s = old.withUnmanaged(base)
	}
	return WriteState(ctx, dir, s)
}

// withUnmanaged returns s with p as the latest path. Without managed paths
// that is p alone.
func (s State) withUnmanaged(p string) State {
	managed := State{ModelCheckpointPath: p, LastPreservedTimestamp: s.LastPreservedTimestamp}
	for i, t := range s.AllModelCheckpointTimestamps {
		if t.After(s.preserved()) && s.AllModelCheckpointPaths[i] != p {
			managed.AllModelCheckpointPaths = append(managed.AllModelCheckpointPaths, s.AllModelCheckpointPaths[i])
			managed.AllModelCheckpointTimestamps = append(managed.AllModelCheckpointTimestamps, t)
		}
	}
	if len(managed.AllModelCheckpointPaths) == 0 {
		return State{ModelCheckpointPath: p}
	}
	managed.AllModelCheckpointPaths = append(managed.AllModelCheckpointPaths, p)
	managed.AllModelCheckpointTimestamps = append(managed.AllModelCheckpointTimestamps, s.preserved())
	return managed
}

// preserved returns the time after which listed checkpoints are managed; the
// field's absence means zero, the Unix epoch.
func (s State) preserved() time.Time {
	if s.LastPreservedTimestamp.IsZero() {
		return time.Unix(0, 0)
	}
	return s.LastPreservedTimestamp
}

// Restore restores the objects from the checkpoint path, which is as Load's,
// save counter included. It changes nothing before everything is read and
// verified, and closes the checkpoint's files. What the checkpoint has for
// objects that do not exist yet is restored when they are tracked.
// (TensorFlow: tf.train.Checkpoint.restore)
func (c *Checkpoint) Restore(ctx context.Context, dir storage.Dir, path string) (*trackable.LoadStatus, error) {
	if !c.busy.TryLock() {
		return nil, fmt.Errorf("restore %s: %w", path, ErrSaving)
	}
	defer c.busy.Unlock()
	if _, err := c.makeCounter(); err != nil {
		return nil, fmt.Errorf("restore %s: %w", path, err)
	}
	return c.read(ctx, dir, path, "restore")
}

// Read restores the objects from a checkpoint that Write made, without a save
// counter; otherwise as Restore. (TensorFlow: tf.train.Checkpoint.read)
func (c *Checkpoint) Read(ctx context.Context, dir storage.Dir, path string) (*trackable.LoadStatus, error) {
	if !c.busy.TryLock() {
		return nil, fmt.Errorf("read %s: %w", path, ErrSaving)
	}
	defer c.busy.Unlock()
	return c.read(ctx, dir, path, "read")
}

func (c *Checkpoint) read(ctx context.Context, dir storage.Dir, path, verb string) (*trackable.LoadStatus, error) {
	if c.misuse != nil {
		return nil, c.misuse
	}
	r, err := Load(ctx, dir, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.TrimSpace(verb+" "+path), err)
	}
	status, err := c.restoreFrom(r)
	if err = closing(r, err); err != nil {
		return nil, fmt.Errorf("%s %s: %w", verb, r.Path(), err)
	}
	return status, nil
}

// restoreFrom matches objects by the graph, or by their variables' names where
// TensorFlow 1 stored no graph.
func (c *Checkpoint) restoreFrom(r *Reader) (*trackable.LoadStatus, error) {
	root, _ := c.node0()
	o := &trackable.RestoreOptions{
		Attached:          c.TrackableChildren(), // of itself, too: no child is repeated
		Optional:          []string{counterName},
		SkipSlotVariables: c.o.SkipSlotVariables,
		StageLimit:        c.o.StageLimit,
	}
	if _, err := r.Info(trackable.GraphKey); errors.Is(err, format.ErrNoTensor) {
		return trackable.RestoreByName(root, r, nil, o)
	}
	return trackable.Restore(root, r, o)
}
