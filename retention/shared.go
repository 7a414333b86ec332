package retention

import "math"

// SharedFile is a file of a checkpoint whose bytes other checkpoints may have,
// too: there is one file with several names.
type SharedFile struct {
	File string // the same for all names of one file, and for no other
	Size int64
}

// TotalSize returns what checkpoints take together. What several of them share
// counts once, so that
//
//	TotalSize(list) - TotalSize(rest)
//
// is what becomes free when all but the rest are removed.
func TotalSize(list []Checkpoint) int64 {
	var t total
	for _, c := range list {
		t.add(c)
	}
	return t.bytes
}

// total is the size of some checkpoints together.
type total struct {
	bytes int64
	seen  map[string]int64 // shared files, and the most that one was said to have
}

// add counts what c has besides. Sizes are what somebody wrote into a receipt:
// none makes the total smaller, and none takes it beyond what a number holds.
func (t *total) add(c Checkpoint) {
	size := max(c.Size, 0)
	for _, f := range c.Shared {
		had, is := t.seen[f.File]
		if is {
			size = max(0, size-max(0, min(f.Size, had)))
			continue
		}
		if t.seen == nil {
			t.seen = make(map[string]int64)
		}
		t.seen[f.File] = f.Size
	}
	t.bytes += min(size, math.MaxInt64-t.bytes)
}
