package callbacks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// take makes the list of the pattern's files, and the best value the best of
// theirs, if that is better than the one known.
func (m *ModelCheckpoint) take(ctx context.Context) error {
	found, err := m.pattern.find(ctx, m.dir)
	if err != nil {
		return err
	}
	m.files = nil
	for _, info := range found {
		c := retention.Checkpoint{Path: info.Name, Time: info.ModTime}
		r, err := m.receipt(ctx, info.Name)
		if err != nil {
			return err
		}
		if r != nil {
			c.Time, c.Step, c.Epoch, c.Metrics = r.Time, r.Step, r.Epoch, r.Metrics
		}
		m.files = append(m.files, c)
		if v, ok := c.Metrics[m.monitor.metric]; ok && m.monitor.better(v, m.monitor.best) {
			m.monitor.best = v
		}
	}
	slices.SortFunc(m.files, func(a, b retention.Checkpoint) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Path, b.Path))
	})
	return nil
}

// receipt returns the receipt of a file, nil if it has none that can be read.
func (m *ModelCheckpoint) receipt(ctx context.Context, path string) (*checkpoint.Receipt, error) {
	r, err := checkpoint.ReadReceipt(ctx, m.dir, path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, format.ErrCorrupt) {
		return nil, nil
	}
	return &r, err
}

// known returns the list with what people may have written into the receipts
// since, which a policy is to know: tags, pins and marks; and the sizes.
func (m *ModelCheckpoint) known(ctx context.Context) ([]retention.Checkpoint, error) {
	list := slices.Clone(m.files)
	for i := range list {
		c := &list[i]
		r, err := m.receipt(ctx, c.Path)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		c.Tags, c.Pinned, c.Rejected, c.Size, c.Shared = r.Tags, r.Pinned, r.Rejected, 0, r.Shared()
		for _, f := range r.Files {
			c.Size += f.Size
		}
	}
	return list, nil
}

// saved adds c to the list.
func (m *ModelCheckpoint) saved(c retention.Checkpoint) {
	c.Metrics = maps.Clone(c.Metrics)
	m.files = append(without(m.files, c.Path), c)
	if v, ok := c.Metrics[m.monitor.metric]; ok && m.monitor.better(v, m.monitor.best) {
		m.monitor.best = v
	}
}

func without(list []retention.Checkpoint, path string) []retention.Checkpoint {
	return slices.DeleteFunc(slices.Clone(list), func(c retention.Checkpoint) bool { return c.Path == path })
}

// Best returns the path of the best of the files there are and its value of
// the metric; "" if none of them has one.
func (m *ModelCheckpoint) Best() (path string, value float64) {
	for _, c := range m.files {
		v, ok := c.Metrics[m.monitor.metric]
		if ok && v == v && (path == "" || m.monitor.better(v, value)) {
			path, value = c.Path, v
		}
	}
	return path, value
}

// Files returns the paths of the files there are, oldest first.
func (m *ModelCheckpoint) Files() []string {
	paths := make([]string, len(m.files))
	for i, c := range m.files {
		paths[i] = c.Path
	}
	return paths
}

// sweep removes what retention does not want any more. The save before it
// stands whatever it returns; what could not be removed stays in the list.
func (m *ModelCheckpoint) sweep(ctx context.Context) error {
	if m.o.Retention == nil || len(m.files) == 0 {
		return nil
	}
	list, err := m.known(ctx)
	if err != nil {
		return err
	}
	for i, v := range retention.Judge(m.o.Retention, list) {
		if v.Fate == retention.Keep || v.Fate == retention.Retain {
			continue // to be judged again
		}
		if v.Fate == retention.Remove {
			held, err := checkpoint.RemoveUnheld(ctx, m.dir, list[i].Path)
			if err != nil {
				return err
			}
			if held != "" {
				continue
			}
			m.o.Logger.Info("removed", "path", list[i].Path, "reason", v.Reason)
		}
		m.files = without(m.files, list[i].Path)
	}
	return nil
}

// load restores the newest file.
func (m *ModelCheckpoint) load(ctx context.Context) error {
	newest, err := Newest(ctx, m.dir, m.pattern)
	if err != nil || newest == "" {
		return err
	}
	status, err := m.c.Read(ctx, m.dir, newest)
	if err != nil {
		return err
	}
	if err := status.AssertExistingObjectsMatched(); err != nil {
		return fmt.Errorf("read %s: %w", newest, err)
	}
	m.o.Logger.Info("restored", "path", newest)
	return nil
}

// Newest returns the newest checkpoint in dir whose name the pattern can make,
// "" if there is none: the one that the state file names or, if that is
// another, the one written last. Of several written at once it is the one of
// these whose name comes last. (TensorFlow: _get_most_recently_modified_file_matching_pattern)
func Newest(ctx context.Context, dir storage.Dir, p *Pattern) (string, error) {
	found, err := p.find(ctx, dir)
	if err != nil || len(found) == 0 {
		return "", err
	}
	newest := slices.MaxFunc(found, func(a, b storage.Info) int {
		return cmp.Or(a.ModTime.Compare(b.ModTime), cmp.Compare(a.Name, b.Name))
	}).Name
	in, one := p.directory()
	if !one {
		return newest, nil // several directories, each with a state file
	}
	state, err := checkpoint.ReadState(ctx, storage.Sub(dir, in))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, format.ErrCorrupt) {
			err = nil
		}
		return newest, err
	}
	named := path.Join(in, path.Base(state.ModelCheckpointPath))
	if slices.ContainsFunc(found, func(info storage.Info) bool { return info.Name == named }) {
		return named, nil
	}
	return newest, nil
}
