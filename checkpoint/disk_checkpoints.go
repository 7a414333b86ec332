package checkpoint

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// CheckpointUsage is what a checkpoint takes.
type CheckpointUsage struct {
	Path string // from the directory that was measured
	Usage
	// Alone is what only this checkpoint has: what becomes free when it is
	// removed. The rest of Unique it shares with other checkpoints, or with files
	// of whatever kind. Where the place does not tell which names are of one file
	// nothing is known to be shared.
	Alone int64

	whole bool // it has an index
}

// Shared is what others have, too.
func (u CheckpointUsage) Shared() int64 { return u.Unique - u.Alone }

// having is who has a file: the checkpoint at a place of the counter's list.
type having struct {
	first int
	last  int  // that has counted it
	many  bool // others have it, too
}

// nobodys is the place of files that are none's, and of those put aside.
const nobodys = -1

// unique counts a file in its checkpoint, and returns what it takes that no
// name before it did.
func (c *counter) unique(info storage.Info, kind string) int64 {
	at := c.checkpointOf(info.Name, kind)
	of := new(CheckpointUsage) // nobody's
	if at != nobodys {
		of = &c.checkpoints[at]
	}
	of.Files++
	of.Apparent += info.Size
	h, again := c.seen[info.ID]
	if again = again && info.ID != (storage.FileID{}); !again {
		h = having{first: at, last: at}
		of.Alone += info.Size
	}
	if !again || h.last != at {
		of.Unique += info.Size
	}
	if h.last = at; again && h.first != at && !h.many {
		if h.many = true; h.first != nobodys {
			c.checkpoints[h.first].Alone -= info.Size
		}
	}
	if c.seen[info.ID] = h; again {
		return 0
	}
	return info.Size
}

// checkpointOf returns the place of the checkpoint that a file belongs to, and
// is removed with.
func (c *counter) checkpointOf(name, kind string) int {
	f, ok := filename.Parse(name)
	if !ok || kind == "quarantine" || kind == "leases" || kind == "temporary" {
		return nobodys
	}
	path := strings.TrimSuffix(f.Path, filename.RecoverySuffix)
	at, known := c.at[path]
	if !known {
		at = len(c.checkpoints)
		c.at[path], c.checkpoints = at, append(c.checkpoints, CheckpointUsage{Path: path})
	}
	return at
}

// whole returns those that have an index, in the order of their names and numbers.
func (c *counter) whole() []CheckpointUsage {
	list := slices.DeleteFunc(c.checkpoints, func(u CheckpointUsage) bool { return !u.whole })
	slices.SortFunc(list, func(a, b CheckpointUsage) int {
		name, n, _ := filename.SplitNumber(a.Path)
		other, m, _ := filename.SplitNumber(b.Path)
		return cmp.Or(cmp.Compare(name, other), cmp.Compare(n, m), cmp.Compare(a.Path, b.Path))
	})
	return list
}
