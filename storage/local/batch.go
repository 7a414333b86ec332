package local

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ckpt-dev/ckpt/storage"
)

// flushesAtOnce bounds the flushes under way: side by side they share the
// disk's cache flushes and the journal's commits.
const flushesAtOnce = 16

// CommitAll flushes all waves together, which is where the time goes, and then
// publishes wave by wave with one flush of each directory. A Pending that is
// not this package's is committed by itself, within its wave.
func (d *dir) CommitAll(ctx context.Context, waves ...[]storage.Pending) error {
	err := d.flushAll(ctx, slices.Concat(waves...))
	for _, wave := range waves {
		if err == nil {
			err = d.publishWave(ctx, wave)
		}
	}
	if err == nil {
		return nil
	}
	for _, p := range slices.Concat(waves...) {
		err = discardAfter(err, p) // which leaves the published alone
	}
	return err
}

// own returns p as a pending of this package on the same file system.
func (d *dir) own(p storage.Pending) (*pending, bool) {
	q, ok := p.(*pending)
	return q, ok && q.d.fsys == d.fsys
}

func (d *dir) flushAll(ctx context.Context, all []storage.Pending) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	errs := make([]error, len(all))
	free := make(chan struct{}, flushesAtOnce)
	var wg sync.WaitGroup
	for i, p := range all {
		own, ok := d.own(p)
		if !ok {
			continue
		}
		free <- struct{}{}
		wg.Go(func() {
			errs[i] = own.flush()
			<-free
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // the first in the caller's order: the others often follow from it
		}
	}
	return nil
}

// publishWave renames the wave's files, and returns only when no power cut can
// undo that: the next wave may rely on it. A failure half-way leaves the files
// before it published, which no reader may take for complete without the waves
// that follow and now will not come.
func (d *dir) publishWave(ctx context.Context, wave []storage.Pending) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var published []string
	for _, p := range wave {
		own, ok := d.own(p)
		if !ok {
			if err := p.Commit(); err != nil {
				return err
			}
			continue
		}
		if err := own.publish(); err != nil {
			return err
		}
		published = append(published, own.path)
	}
	return d.flushDirsOf(published)
}

// flushDirsOf flushes each directory once, in the order of paths.
func (d *dir) flushDirsOf(paths []string) error {
	var flushed []string
	for _, path := range paths {
		in := filepath.Dir(path)
		if slices.Contains(flushed, in) {
			continue
		}
		if err := d.flushDirOf(path); err != nil {
			return err
		}
		flushed = append(flushed, in)
	}
	return nil
}

// RemoveAll flushes the directories between waves, and not after the last.
func (d *dir) RemoveAll(ctx context.Context, waves ...[]string) error {
	// All names first: nothing is removed for a call that is refused.
	paths := make([][]string, len(waves))
	for i, wave := range waves {
		for _, name := range wave {
			path, err := d.begin(ctx, "remove", name)
			if err != nil {
				return err
			}
			paths[i] = append(paths[i], path)
		}
	}
	for i, wave := range paths {
		if i > 0 {
			if err := d.flushRemoved(paths[i-1]); err != nil {
				return err
			}
		}
		if err := d.removeWave(ctx, wave); err != nil {
			return err
		}
	}
	return nil
}

// removeWave goes on after an error, so that one bad file does not keep the
// others from being removed; the caller begins no further wave.
func (d *dir) removeWave(ctx context.Context, wave []string) error {
	var errs []error
	for _, path := range wave {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.fsys.Unlink(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, d.failed("remove", path, err))
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// flushRemoved flushes also where nothing was found to remove: an earlier
// process may have unlinked it and died before the flush.
func (d *dir) flushRemoved(wave []string) error {
	err := d.flushDirsOf(wave)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
