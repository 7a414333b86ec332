package checkpoint

import (
	"context"
	"errors"
	"io/fs"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
)

// fileSets are what a directory holds of several checkpoints, by their paths.
type fileSets map[string]*fileSet

// scan finds the checkpoints among the files whose names begin with prefix,
// in one listing. A missing directory has none.
func scan(ctx context.Context, dir storage.Dir, prefix string) (fileSets, error) {
	sets := make(fileSets)
	err := eachFile(ctx, dir, prefix, func(info storage.Info) { sets.add(info) })
	return sets, err
}

// eachFile calls visit for the files whose names begin with prefix.
func eachFile(ctx context.Context, dir storage.Dir, prefix string, visit func(storage.Info)) error {
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

// add puts a file to its checkpoint. It reports whether it is the file of one.
func (s fileSets) add(info storage.Info) bool {
	f, ok := parseName(info.Name)
	if !ok {
		return false
	}
	set := s[f.path]
	if set == nil {
		set = &fileSet{path: f.path}
		s[f.path] = set
	}
	switch f.part {
	case partIndex:
		set.index = &info
	case partReceipt:
		set.receipt = &info
	case partData:
		set.data = append(set.data, dataFile{info, f.shard, f.shards})
	}
	return true
}

// highest returns the highest number among the checkpoints of the given name,
// whole or not, and -1 when there is none.
func (s fileSets) highest(name string) int64 {
	top := int64(-1)
	for p := range s {
		if n, ok := numberOf(name, p); ok {
			top = max(top, n)
		}
	}
	return top
}

// newestOf returns the complete checkpoint of the given name that has the
// highest number, or "".
func (s fileSets) newestOf(name string) string {
	top, path := int64(-1), ""
	for p, set := range s {
		if n, ok := numberOf(name, p); ok && n > top && set.complete() {
			top, path = n, p
		}
	}
	return path
}

// occupied reports whether a save as path would meet files of a checkpoint. It
// costs the same whatever else the directory holds.
func occupied(ctx context.Context, dir storage.Dir, path string) (bool, error) {
	// The receipt stands for what a save of ours that failed has left, in
	// however many data files.
	names := []string{tensorbundle.IndexName(path), tensorbundle.DataName(path, 0, 1), receiptName(path), tensorbundle.IndexName(recoveryOf(path))}
	for _, name := range names {
		if is, err := exists(ctx, dir, name); is || err != nil {
			return is, err
		}
	}
	return false, nil
}

// exists reports whether dir has a file called name.
func exists(ctx context.Context, dir storage.Dir, name string) (bool, error) {
	f, err := dir.Open(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, f.Close()
}
