package checkpoint

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/storage"
)

// Overwriting a checkpoint. TensorFlow's names force the old and the new files
// to be one path each, and no order of several renames is atomic. So:
//
//  1. the old set gets a second name each, "ckpt-7.recovery.*", its index last
//  2. the new receipt, then the new data, then the new index replace the old
//  3. the second names are removed, the index first
//
// While there is a complete recovery set, the set in place counts only if its
// receipt describes it. The receipt goes first because it tells the old index
// from the new one: from its rename until that of the index the set in place
// does not match its receipt, and then it does.

// replace publishes the pending files over the checkpoint that is there.
func (w *writing) replace(ctx context.Context, out *output) error {
	if w.main.complete() {
		if err := linkAll(ctx, w.dir, w.main); err != nil {
			return err
		}
	}
	// Else a pin that has read the old receipt might put it over the new one.
	err := betweenSweeps(ctx, w.dir, pinPatience, func() error {
		return storage.CommitAll(ctx, w.dir, []storage.Pending{out.receipt}, out.data, []storage.Pending{out.index})
	})
	w.settled(ctx)
	if err == nil && !w.main.complete() {
		w.dropStale(ctx)
	}
	return err
}

// settled removes the recovery set, or after an error brings it back. If it
// cannot now, the next opening for writing does.
func (w *writing) settled(ctx context.Context) {
	if err := settlePath(context.WithoutCancel(ctx), w.dir, w.path); err != nil {
		w.log.Warn("recovery files stay until the next save", "path", w.path, "err", err)
	}
}

// dropStale removes the data files of what was there before that the new
// checkpoint, which is published, has not replaced: they were of another number
// of shards. No reader looks at them, so it is no failure if they stay.
func (w *writing) dropStale(ctx context.Context) {
	if w.main == nil {
		return
	}
	var stale []string
	for _, d := range w.main.data {
		if _, ok := w.receipt.file(path.Base(d.Name)); !ok {
			stale = append(stale, d.Name)
		}
	}
	if len(stale) == 0 {
		return
	}
	if err := storage.RemoveAll(context.WithoutCancel(ctx), w.dir, stale); err != nil {
		w.log.Warn("data files of an incomplete checkpoint stay", "path", w.path, "err", err)
	}
}

// settlePath looks at what there is of a path and settles it.
func settlePath(ctx context.Context, dir storage.Dir, path string) error {
	sets, err := scan(ctx, dir, path+".")
	if err != nil {
		return err
	}
	return settle(ctx, dir, sets[path], sets[recoveryOf(path)])
}

// look finds out what is there of the path. If an overwrite of it was
// interrupted, that is brought in order.
func (w *writing) look(ctx context.Context) error {
	if w.free {
		return nil
	}
	if is, err := occupied(ctx, w.dir, w.path); err != nil || !is {
		return err
	}
	if err := w.list(ctx); err != nil || w.rec == nil {
		return err
	}
	if err := settle(ctx, w.dir, w.main, w.rec); err != nil {
		return err
	}
	return w.list(ctx)
}

func (w *writing) list(ctx context.Context) error {
	sets, err := scan(ctx, w.dir, w.path+".")
	w.main, w.rec = sets[w.path], sets[recoveryOf(w.path)]
	return err
}

// linkAll gives a set its recovery names. The index is last: with it, the
// recovery set is complete.
func linkAll(ctx context.Context, dir storage.Dir, s *fileSet) error {
	for _, name := range append(s.others(), s.index.Name) {
		if err := storage.Link(ctx, dir, name, recoveryName(s.path, name)); err != nil {
			return err
		}
	}
	return nil
}

// recoveryName returns the second name of a file of the checkpoint path.
func recoveryName(path, name string) string { return recoveryOf(path) + name[len(path):] }

// settle ends an overwrite: main is what is in place, rec the recovery set.
// Either may be nil. It may be called again after a crash in its midst.
func settle(ctx context.Context, dir storage.Dir, main, rec *fileSet) error {
	if rec == nil {
		return nil
	}
	// An overwrite never takes the index away: without it, somebody who knows
	// nothing of recovery sets has removed the checkpoint.
	if main != nil && main.index != nil && rec.complete() {
		ok, err := describes(ctx, dir, main)
		if err != nil {
			return err
		}
		if ok {
			return dropOld(ctx, dir, main, rec)
		}
		if err := rollBack(ctx, dir, main, rec); err != nil {
			return err
		}
	}
	return removeSet(ctx, dir, rec)
}

// removeSet removes the files of a set, the index first.
func removeSet(ctx context.Context, dir storage.Dir, s *fileSet) error {
	if s.index == nil {
		return storage.RemoveAll(ctx, dir, s.others())
	}
	return storage.RemoveAll(ctx, dir, []string{s.index.Name}, s.others())
}

// dropOld removes the recovery set, and before it those data files in place
// that only the old checkpoint had, of another number of shards: as long as
// there is a recovery set, who comes after a crash knows them.
func dropOld(ctx context.Context, dir storage.Dir, main, rec *fileSet) error {
	r, err := ReadReceipt(ctx, dir, main.path)
	if err != nil {
		return err
	}
	var stale []string
	for _, d := range main.data {
		if _, ok := r.file(path.Base(d.Name)); !ok && slices.Contains(rec.others(), recoveryName(main.path, d.Name)) {
			stale = append(stale, d.Name)
		}
	}
	if len(stale) > 0 {
		if err := storage.RemoveAll(ctx, dir, stale, []string{rec.index.Name}); err != nil {
			return err
		}
	}
	return removeSet(ctx, dir, rec)
}

// describes reports whether a set's receipt is about the files that are
// there: their sizes, and the index's bytes. The data's bytes are not read.
func describes(ctx context.Context, dir storage.Dir, s *fileSet) (bool, error) {
	if s == nil || !s.complete() || s.receipt == nil {
		return false, nil
	}
	r, err := ReadReceipt(ctx, dir, s.path)
	if err != nil {
		return false, unlessIO(err)
	}
	for _, f := range r.Files {
		if size, ok := s.sizeOf(f.Name); !ok || size != f.Size {
			return false, nil
		}
	}
	f, ok := r.file(path.Base(s.index.Name))
	if !ok {
		return false, nil
	}
	sum, err := sumFile(ctx, dir, s.index.Name)
	return err == nil && sum == f.CRC32C, err
}

// sizeOf returns the size of a file of the set, which goes by the last
// element of its name.
func (s *fileSet) sizeOf(base string) (int64, bool) {
	if s.index != nil && path.Base(s.index.Name) == base {
		return s.index.Size, true
	}
	for _, d := range s.data {
		if path.Base(d.Name) == base {
			return d.Size, true
		}
	}
	return 0, false
}

// unlessIO returns err if it is about reading, and nil if what was read is
// not what it should be.
func unlessIO(err error) error {
	var place *fs.PathError
	if errors.As(err, &place) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// sumFile returns the CRC-32C of a whole file.
func sumFile(ctx context.Context, dir storage.Dir, name string) (uint32, error) {
	f, err := dir.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	sum := crc32.New(castagnoli)
	_, err = io.Copy(sum, io.NewSectionReader(f, 0, f.Size()))
	return sum.Sum32(), closing(f, err)
}

// rollBack makes the recovery set the one in place again. The receipt comes
// last, so that the set in place does not count before it is whole.
func rollBack(ctx context.Context, dir storage.Dir, main, rec *fileSet) error {
	var data []string
	for _, d := range rec.data {
		data = append(data, d.Name)
	}
	waves := [][]string{data, {rec.index.Name}}
	if rec.receipt != nil {
		waves = append(waves, []string{rec.receipt.Name})
	}
	for _, wave := range waves {
		for _, name := range wave {
			if err := copyBack(ctx, dir, rec.path, name); err != nil {
				return err
			}
		}
	}
	if main == nil {
		return nil
	}
	// What only the interrupted checkpoint has.
	var foreign []string
	for _, name := range main.others() {
		if !slices.Contains(rec.others(), recoveryName(main.path, name)) {
			foreign = append(foreign, name)
		}
	}
	return storage.RemoveAll(ctx, dir, foreign)
}

// copyBack copies a file of the recovery set rec to its own name.
func copyBack(ctx context.Context, dir storage.Dir, rec, name string) (err error) {
	from, err := dir.Open(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = closing(from, err) }()
	to, err := dir.Create(ctx, rec[:len(rec)-len(recoverySuffix)]+name[len(rec):])
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.NewSectionReader(from, 0, from.Size()))
	if err == nil {
		err = to.Commit()
	}
	if err != nil {
		return alsoFailed(err, to.Discard())
	}
	return nil
}
