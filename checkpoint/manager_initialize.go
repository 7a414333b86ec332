package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/trackable"
)

// RestoreOrInitialize restores the latest checkpoint and returns its path.
// When there is none it calls InitFn and returns "". It falls back to an older
// checkpoint only over one that is marked as rejected, or that Validate
// rejects, and over a broken one if Fallback says so. Nor does it begin from
// nothing where checkpoints were: that is an error, ErrNoneValid if they were
// passed over. After a rejection the objects hold what was restored last, also
// when that is an error: the error says which checkpoint's values. An
// asynchronous save, for which it waits first, is an error if it has failed.
// (TensorFlow: tf.train.CheckpointManager.restore_or_initialize)
func (m *Manager) RestoreOrInitialize(ctx context.Context) (path string, err error) {
	if err := m.Sync(ctx); err != nil {
		return "", err
	}
	path, err = m.restoreNewest(ctx)
	if err != nil {
		return "", err
	}
	m.ContinueFrom(path)
	if path == "" {
		return "", m.initialize(ctx)
	}
	if m.o.StepCounter != nil {
		step := m.o.StepCounter()
		m.stepped(&step)
	}
	return path, nil
}

func (m *Manager) restore(ctx context.Context, path string) error {
	status, err := m.c.restore(ctx, m.dir, path, !m.o.Partial && !m.exact(), m.o.Logger)
	var values *trackable.MismatchError
	switch {
	case errors.Is(err, trackable.ErrNotMatched) && !errors.As(err, &values):
		return fmt.Errorf("%w (ManagerOptions.Partial restores what there is)", err)
	case err != nil:
		return err
	}
	if err := status.AssertExistingObjectsMatched(); err != nil {
		m.o.Logger.Warn("restored in part", "path", path, "err", err)
	}
	return nil
}

func (m *Manager) initialize(ctx context.Context) error {
	if err := m.alone(ctx, m.lost); err != nil {
		return fmt.Errorf("initialize: %w", err)
	}
	if m.o.InitFn == nil {
		return nil
	}
	return m.o.InitFn(ctx)
}

// lost returns an error if there have been checkpoints: who goes on from
// nothing then should know.
func (m *Manager) lost() error {
	if m.exact() {
		return nil
	}
	if m.gone != "" {
		return fmt.Errorf("%s: names %q, but neither that nor another complete checkpoint is there: "+
			"bring it back, or remove this file to begin anew: %w", filename.State, m.gone, fs.ErrNotExist)
	}
	for _, p := range slices.Sorted(maps.Keys(m.files.sets)) {
		if _, mine := filename.NumberOf(m.l.Name, p); mine && m.files.sets[p].Index != nil {
			return fmt.Errorf("%s: data files are missing: bring them back, or remove its index to begin anew: %w", p, fs.ErrNotExist)
		}
	}
	return nil
}
