package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
)

// fileSet is what a directory holds of one checkpoint.
type fileSet struct {
	path    string
	index   *storage.Info // nil: not committed, or being removed
	receipt *storage.Info
	data    []dataFile
}

type dataFile struct {
	storage.Info
	shard, shards int
}

// scan finds the checkpoints among the files whose names begin with prefix,
// in one listing. A missing directory has none.
func scan(ctx context.Context, dir storage.Dir, prefix string) (map[string]*fileSet, error) {
	sets := make(map[string]*fileSet)
	err := eachFile(ctx, dir, prefix, func(info storage.Info) {
		if f, ok := parseName(info.Name); ok {
			add(setOf(sets, f.path), f, info)
		}
	})
	return sets, err
}

func setOf(sets map[string]*fileSet, path string) *fileSet {
	s := sets[path]
	if s == nil {
		s = &fileSet{path: path}
		sets[path] = s
	}
	return s
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

func add(s *fileSet, f fileName, info storage.Info) {
	switch f.part {
	case partIndex:
		s.index = &info
	case partReceipt:
		s.receipt = &info
	case partData:
		s.data = append(s.data, dataFile{info, f.shard, f.shards})
	}
}

// shards returns the shard count of a set that has one complete series of
// data files, the smallest such if an overwrite left two, and otherwise 0.
func (s *fileSet) shards() int {
	count := make(map[int]int)
	for _, d := range s.data {
		if d.shard < d.shards {
			count[d.shards]++
		}
	}
	for _, n := range slices.Sorted(maps.Keys(count)) {
		if count[n] == n {
			return n
		}
	}
	return 0
}

// complete reports whether the index and all data files are there.
func (s *fileSet) complete() bool { return s.index != nil && s.shards() > 0 }

// size returns the bytes of all files.
func (s *fileSet) size() int64 {
	var n int64
	for _, d := range s.data {
		n += d.Size
	}
	if s.index != nil {
		n += s.index.Size
	}
	if s.receipt != nil {
		n += s.receipt.Size
	}
	return n
}

// others returns the names of all files but the index.
func (s *fileSet) others() []string {
	var names []string
	for _, d := range s.data {
		names = append(names, d.Name)
	}
	if s.receipt != nil {
		names = append(names, s.receipt.Name)
	}
	return names
}

// names returns the names of all files, the index first.
func (s *fileSet) names() []string {
	if s.index == nil {
		return s.others()
	}
	return append([]string{s.index.Name}, s.others()...)
}

// modTime is when the index was committed, as the place tells it.
func (s *fileSet) modTime() time.Time {
	if s.index == nil {
		return time.Time{}
	}
	return s.index.ModTime
}

// highest returns the highest number among the checkpoints of the given name,
// whole or not, and -1 when there is none.
func highest(sets map[string]*fileSet, name string) int64 {
	top := int64(-1)
	for p := range sets {
		if n, ok := numberOf(name, p); ok {
			top = max(top, n)
		}
	}
	return top
}

// occupied reports whether a save as path would meet files of a checkpoint. It
// costs the same whatever else the directory holds.
func occupied(ctx context.Context, dir storage.Dir, path string) (bool, error) {
	// The receipt stands for what a save of ours that failed has left, in
	// however many data files.
	names := []string{tensorbundle.IndexName(path), tensorbundle.DataName(path, 0, 1), ReceiptName(path), tensorbundle.IndexName(recoveryOf(path))}
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
