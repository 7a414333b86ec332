package ledger

import "github.com/ckpt-dev/ckpt/retention"

// Holders says how many checkpoints have each of the files that several may have.
type Holders map[string]int

// HoldersOf counts those of a list.
func HoldersOf(list []retention.Checkpoint) Holders {
	h := make(Holders)
	for _, c := range list {
		for _, f := range c.Shared {
			h[f.File]++
		}
	}
	return h
}

// Release takes c away and returns how many bytes become free by that: those
// that no other has.
func (h Holders) Release(c retention.Checkpoint) int64 {
	size := c.Size
	for _, f := range c.Shared {
		if h[f.File]--; h[f.File] > 0 {
			size -= f.Size
		}
	}
	return max(size, 0)
}
