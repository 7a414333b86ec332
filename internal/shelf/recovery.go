package shelf

import (
	"context"
	"errors"
	"io"
	"path"

	"github.com/ckpt-dev/ckpt/internal/filename"
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

// SettleAt looks at what there is of a path and settles it, as Settle does.
func SettleAt(ctx context.Context, dir storage.Dir, path string, told Told) error {
	sets, err := Scan(ctx, dir, path+".")
	if err != nil {
		return err
	}
	return Settle(ctx, dir, sets[path], sets[filename.Recovery(path)], told)
}

// Settle ends an overwrite: main is what is in place, rec the recovery set.
// Either may be nil. It may be called again after a crash in its midst.
func Settle(ctx context.Context, dir storage.Dir, main, rec *Set, told Told) error {
	if rec == nil {
		return nil
	}
	// An overwrite never takes the index away: without it and without data,
	// somebody who knows nothing of recovery sets has removed the checkpoint. With
	// data the index was lost, and what is aside is all that can be restored.
	if main != nil && (main.Index != nil || len(main.Data) > 0) && rec.Complete() {
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
	return Remove(ctx, dir, rec)
}

// Link gives a complete set its recovery names. The index is last: with it, the
// recovery set is complete.
func Link(ctx context.Context, dir storage.Dir, s *Set) error {
	for _, name := range append(s.Others(), s.Index.Name) {
		if err := storage.Link(ctx, dir, name, recoveryName(s.Path, name)); err != nil {
			return err
		}
	}
	return nil
}

// recoveryName returns the second name of a file of the checkpoint path.
func recoveryName(path, name string) string { return filename.Recovery(path) + name[len(path):] }

// Remove removes the files of a set, the index before all but its parity.
func Remove(ctx context.Context, dir storage.Dir, s *Set) error {
	if s.Index == nil {
		return storage.RemoveAll(ctx, dir, s.Others())
	}
	return storage.RemoveAll(ctx, dir, InWaves([]string{s.Index.Name}, s.Others())...)
}

// InWaves returns the files of checkpoints in the order of their removal: the
// indexes before the others. The parity of an index goes even before that, as it
// is published after it: so no removal and no save that is cut short leaves it
// behind, and where it is without its index, that was lost.
func InWaves(indexes, others []string) [][]string {
	beside := make(map[string]bool)
	for _, name := range indexes {
		beside[filename.OfParity(name)] = true
	}
	var parity, rest []string
	for _, name := range others {
		if beside[name] {
			parity = append(parity, name)
		} else {
			rest = append(rest, name)
		}
	}
	if len(parity) == 0 {
		return [][]string{indexes, rest}
	}
	return [][]string{parity, indexes, rest}
}

// dropOld removes the recovery set, and before it those data files in place
// that only the old checkpoint had, of another number of shards: as long as
// there is a recovery set, who comes after a crash knows them.
func dropOld(ctx context.Context, dir storage.Dir, main, rec *Set, files []File) error {
	var stale []string
	said, saved := make(map[string]bool), rec.names()
	for _, f := range files {
		said[f.Name] = true
	}
	for _, name := range main.bulk() {
		if !said[path.Base(name)] && saved[recoveryName(main.Path, name)] {
			stale = append(stale, name)
		}
	}
	if len(stale) > 0 {
		if err := storage.RemoveAll(ctx, dir, stale, []string{rec.Index.Name}); err != nil {
			return err
		}
	}
	return Remove(ctx, dir, rec)
}

// rollBack makes the recovery set the one in place again. The receipt comes
// last, so that the set in place does not count before it is whole.
func rollBack(ctx context.Context, dir storage.Dir, main, rec *Set) error {
	waves := [][]string{rec.bulk(), {rec.Index.Name}}
	if rec.Receipt != nil {
		waves = append(waves, []string{rec.Receipt.Name})
	}
	for _, wave := range waves {
		for _, name := range wave {
			if err := copyBack(ctx, dir, rec.Path, name); err != nil {
				return err
			}
		}
	}
	if main == nil {
		return nil
	}
	// What only the interrupted checkpoint has.
	var foreign []string
	saved := rec.names()
	for _, name := range main.Others() {
		if !saved[recoveryName(main.Path, name)] {
			foreign = append(foreign, name)
		}
	}
	return storage.RemoveAll(ctx, dir, foreign)
}

// copyBack copies a file of the recovery set rec to its own name. It may be a
// second name of what it replaces, and Windows replaces nothing that is open:
// so it is closed first.
func copyBack(ctx context.Context, dir storage.Dir, rec, name string) error {
	from, err := dir.Open(ctx, name)
	if err != nil {
		return err
	}
	to, err := dir.Create(ctx, rec[:len(rec)-len(filename.RecoverySuffix)]+name[len(rec):])
	if err != nil {
		return errors.Join(err, from.Close())
	}
	_, err = io.Copy(to, io.NewSectionReader(from, 0, from.Size()))
	if closed := from.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = to.Commit()
	}
	if err != nil {
		return errors.Join(err, to.Discard())
	}
	return nil
}
