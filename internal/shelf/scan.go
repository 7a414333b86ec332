package shelf

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Sets are what a directory holds of several checkpoints, by their paths.
type Sets map[string]*Set

// Scan finds the checkpoints among the files whose names begin with prefix,
// in one listing. A missing directory has none.
func Scan(ctx context.Context, dir storage.Dir, prefix string) (Sets, error) {
	sets := make(Sets)
	err := EachFile(ctx, dir, prefix, func(info storage.Info) { sets.Add(info) })
	return sets, err
}

// EachFile calls visit for the files whose names begin with prefix.
func EachFile(ctx context.Context, dir storage.Dir, prefix string, visit func(storage.Info)) error {
	for info, err := range dir.List(ctx, prefix) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		visit(info)
	}
	return nil
}

// Add puts a file to its checkpoint. It reports whether it is the file of one.
func (s Sets) Add(info storage.Info) bool {
	f, ok := filename.Parse(info.Name)
	if !ok {
		return false
	}
	set := s[f.Path]
	if set == nil {
		set = &Set{Path: f.Path}
		s[f.Path] = set
	}
	switch f.Part {
	case filename.Index:
		set.Index = &info
	case filename.Receipt:
		set.Receipt = &info
	case filename.Data:
		set.Data = append(set.Data, DataFile{info, f.Shard, f.Shards})
	case filename.Parity:
		set.Parity = append(set.Parity, info)
	}
	return true
}

// Highest returns the highest number among the checkpoints of the given name,
// whole or not, and -1 when there is none.
func (s Sets) Highest(name string) int64 {
	top := int64(-1)
	for p := range s {
		if n, ok := filename.NumberOf(name, p); ok {
			top = max(top, n)
		}
	}
	return top
}

// HighestQuarantined returns the highest number among the checkpoints of the
// given name that were put aside, and -1 when there is none: one that comes
// back must not find its number taken.
func HighestQuarantined(ctx context.Context, dir storage.Dir, name string) (int64, error) {
	sets, err := Scan(ctx, dir, filename.Quarantined(name, 1)+"-")
	if err != nil {
		return -1, err
	}
	top := int64(-1)
	for p := range sets {
		if n, ok := filename.NumberOf(path.Base(name), path.Base(p)); ok {
			top = max(top, n)
		}
	}
	return top, nil
}

// NewestOf returns the complete checkpoint of the given name that has the
// highest number, or "".
func (s Sets) NewestOf(name string) string {
	top, path := int64(-1), ""
	for p, set := range s {
		if n, ok := filename.NumberOf(name, p); ok && n > top && set.Complete() {
			top, path = n, p
		}
	}
	return path
}

// Occupied reports whether a save as path would meet files of a checkpoint. It
// costs the same whatever else the directory holds.
func Occupied(ctx context.Context, dir storage.Dir, path string) (bool, error) {
	// The receipt stands for what a save of ours that failed has left, in
	// however many data files.
	names := []string{tensorbundle.IndexName(path), tensorbundle.DataName(path, 0, 1), filename.OfReceipt(path), tensorbundle.IndexName(filename.Recovery(path))}
	for _, name := range names {
		if is, err := Exists(ctx, dir, name); is || err != nil {
			return is, err
		}
	}
	return false, nil
}

// Taken is Occupied, or that a checkpoint of path was put aside.
func Taken(ctx context.Context, dir storage.Dir, path string) (bool, error) {
	is, err := Occupied(ctx, dir, path)
	if err != nil || is {
		return is, err
	}
	return Exists(ctx, dir, filename.Quarantined(path, 1)+"/"+filename.Cause)
}

// Exists reports whether dir has a file called name.
func Exists(ctx context.Context, dir storage.Dir, name string) (bool, error) {
	f, err := dir.Open(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, f.Close()
}
