package checkpoint

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
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

// File is what a receipt says of a file of its checkpoint.
type File struct {
	Name   string // relative to the checkpoint's own directory
	Size   int64
	CRC32C uint32 // of the whole file, not masked
}

// Told reads what the receipt of the checkpoint path says of its files. It
// returns none where the receipt cannot be understood.
type Told func(ctx context.Context, dir storage.Dir, path string) ([]File, error)

// settleAt looks at what there is of a path and settles it.
func settleAt(ctx context.Context, dir storage.Dir, path string, told Told) error {
	sets, err := scan(ctx, dir, path+".")
	if err != nil {
		return err
	}
	return settleSets(ctx, dir, sets[path], sets[recoveryOf(path)], told)
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

// settleSets ends an overwrite: main is what is in place, rec the recovery set.
// Either may be nil. It may be called again after a crash in its midst.
func settleSets(ctx context.Context, dir storage.Dir, main, rec *fileSet, told Told) error {
	if rec == nil {
		return nil
	}
	// An overwrite never takes the index away: without it, somebody who knows
	// nothing of recovery sets has removed the checkpoint.
	if main != nil && main.index != nil && rec.complete() {
		files, err := described(ctx, dir, main, told)
		if err != nil {
			return err
		}
		if files != nil {
			return dropOld(ctx, dir, main, rec, files)
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
func dropOld(ctx context.Context, dir storage.Dir, main, rec *fileSet, files []File) error {
	var stale []string
	for _, d := range main.data {
		if among(files, path.Base(d.Name)) == nil && slices.Contains(rec.others(), recoveryName(main.path, d.Name)) {
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

// isDescribed reports whether a set's receipt is about the files that are
// there: their sizes, and the index's bytes. The data's bytes are not read.
func isDescribed(ctx context.Context, dir storage.Dir, s *fileSet, told Told) (bool, error) {
	files, err := described(ctx, dir, s, told)
	return files != nil, err
}

// described returns what the receipt of such a set says, nil of others.
func described(ctx context.Context, dir storage.Dir, s *fileSet, told Told) ([]File, error) {
	if s == nil || !s.complete() || s.receipt == nil {
		return nil, nil
	}
	files, err := told(ctx, dir, s.path)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if size, ok := s.sizeOf(f.Name); !ok || size != f.Size {
			return nil, nil
		}
	}
	index := among(files, path.Base(s.index.Name))
	if index == nil {
		return nil, nil
	}
	sum, err := sumFile(ctx, dir, s.index.Name)
	if err != nil || sum != index.CRC32C {
		return nil, err
	}
	return files, nil
}

func among(files []File, base string) *File {
	for i := range files {
		if files[i].Name == base {
			return &files[i]
		}
	}
	return nil
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

// sumFile returns the CRC-32C of a whole file.
func sumFile(ctx context.Context, dir storage.Dir, name string) (uint32, error) {
	f, err := dir.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, err = io.Copy(sum, io.NewSectionReader(f, 0, f.Size()))
	if closed := f.Close(); err == nil {
		err = closed
	}
	return sum.Sum32(), err
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
	defer func() {
		if closed := from.Close(); err == nil {
			err = closed
		}
	}()
	to, err := dir.Create(ctx, rec[:len(rec)-len(recoverySuffix)]+name[len(rec):])
	if err != nil {
		return err
	}
	_, err = io.Copy(to, io.NewSectionReader(from, 0, from.Size()))
	if err == nil {
		err = to.Commit()
	}
	if err != nil {
		return errors.Join(err, to.Discard())
	}
	return nil
}
