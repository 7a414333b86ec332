package checkpoint

import (
	"maps"
	"slices"
	"time"

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
