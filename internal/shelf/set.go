// Package shelf knows which files in a directory make a checkpoint: it finds
// them, tells whether they are all there, and gives a checkpoint whose
// overwriting was interrupted one state again. Their names are package
// filename's, and what is in them is others' business: what a receipt says it
// asks who calls, by a function Told.
package shelf

import (
	"maps"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
)

// Set is what a directory holds of one checkpoint.
type Set struct {
	Path    string
	Index   *storage.Info // nil: not committed, or being removed
	Receipt *storage.Info
	Data    []DataFile
	Parity  []storage.Info // of any of the data files, and of the index
}

// DataFile is one of the data files.
type DataFile struct {
	storage.Info
	shard, shards int
}

// Shards returns the shard count of a set that has one complete series of
// data files, the smallest such if an overwrite left two, and otherwise 0.
func (s *Set) Shards() int {
	count := make(map[int]int)
	for _, d := range s.Data {
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

// Complete reports whether the index and all data files are there.
func (s *Set) Complete() bool { return s.Index != nil && s.Shards() > 0 }

// Size returns the bytes of all files.
func (s *Set) Size() int64 {
	var n int64
	for _, d := range s.Data {
		n += d.Size
	}
	for _, p := range s.Parity {
		n += p.Size
	}
	if s.Index != nil {
		n += s.Index.Size
	}
	if s.Receipt != nil {
		n += s.Receipt.Size
	}
	return n
}

// Others returns the names of all files but the index.
func (s *Set) Others() []string {
	names := s.bulk()
	if s.Receipt != nil {
		names = append(names, s.Receipt.Name)
	}
	return names
}

// names are those of Others, to be asked for.
func (s *Set) names() map[string]bool {
	names := make(map[string]bool)
	for _, name := range s.Others() {
		names[name] = true
	}
	return names
}

// bulk returns the names of the data files and their parity.
func (s *Set) bulk() []string {
	var names []string
	for _, d := range s.Data {
		names = append(names, d.Name)
	}
	for _, p := range s.Parity {
		names = append(names, p.Name)
	}
	return names
}

// ModTime is when the index was committed, as the place tells it.
func (s *Set) ModTime() time.Time {
	if s.Index == nil {
		return time.Time{}
	}
	return s.Index.ModTime
}
