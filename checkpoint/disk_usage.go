package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// Usage is what some files take of the disk, in bytes.
type Usage struct {
	Files    int
	Apparent int64 // the sum of their sizes
	Unique   int64 // of those that are one file with several names, one
}

// DiskUsage is what a directory holds, and how long there is room for more.
type DiskUsage struct {
	Usage
	Kinds []KindUsage // the largest first
	Runs  []RunUsage  // the directories that checkpoints lie in, by name
	// Checkpoints are those with an index, from the oldest to the newest of a
	// name. Those of TensorFlow 1 are no files of a known kind.
	Checkpoints []CheckpointUsage
	Space       *storage.Space // nil: the place does not tell
}

// KindUsage is what all files of a kind take: "data", "index", "receipt",
// "parity", "state", "recovery", "quarantine", "leases", "temporary" or "other".
type KindUsage struct {
	Kind string
	Usage
}

// RunUsage is what a directory with checkpoints takes, without those below it
// that have some too.
type RunUsage struct {
	Dir string // "" is the directory itself
	Usage
	Checkpoints int // by their indexes
	names       map[string]*course
}

// DiskUsage returns what the manager's directory takes. It lists the directory,
// so it is for now and then, not for every step.
func (m *Manager) DiskUsage(ctx context.Context) (DiskUsage, error) { return MeasureDisk(ctx, m.dir) }

// MeasureDisk returns what all files below dir take, temporary ones included.
func MeasureDisk(ctx context.Context, dir storage.Dir) (DiskUsage, error) {
	c := counter{runs: map[string]*RunUsage{}, kinds: map[string]*KindUsage{}, seen: map[storage.FileID]having{}, at: map[string]int{}}
	for info, err := range dir.List(ctx, "") {
		if err != nil {
			return DiskUsage{}, err
		}
		c.add(info, kindOf(info.Name))
	}
	temps, err := storage.Leftovers(ctx, dir)
	if err != nil {
		return DiskUsage{}, err
	}
	for _, info := range temps {
		c.add(info, "temporary")
	}
	return c.usage(ctx, dir)
}

type counter struct {
	all         Usage
	kinds       map[string]*KindUsage
	runs        map[string]*RunUsage
	seen        map[storage.FileID]having
	at          map[string]int // in checkpoints, by path
	checkpoints []CheckpointUsage
}

func (c *counter) add(info storage.Info, kind string) {
	unique := c.unique(info, kind)
	if c.kinds[kind] == nil {
		c.kinds[kind] = &KindUsage{Kind: kind}
	}
	in := runOf(info.Name)
	if c.runs[in] == nil {
		c.runs[in] = &RunUsage{Dir: in, names: map[string]*course{}}
	}
	for _, u := range []*Usage{&c.all, &c.kinds[kind].Usage, &c.runs[in].Usage} {
		u.Files++
		u.Apparent += info.Size
		u.Unique += unique
	}
	if kind == "index" {
		c.runs[in].saved(info)
		c.checkpoints[c.checkpointOf(info.Name, kind)].whole = true
	}
}

func (c *counter) usage(ctx context.Context, dir storage.Dir) (DiskUsage, error) {
	u := DiskUsage{Usage: c.all, Checkpoints: c.whole()}
	for _, k := range c.kinds {
		u.Kinds = append(u.Kinds, *k)
	}
	slices.SortFunc(u.Kinds, func(a, b KindUsage) int {
		return cmp.Or(cmp.Compare(b.Unique, a.Unique), cmp.Compare(a.Kind, b.Kind))
	})
	for _, in := range slices.Sorted(maps.Keys(c.runs)) {
		u.Runs = append(u.Runs, *c.runs[in])
	}
	space, err := storage.Room(ctx, dir)
	if err == nil {
		u.Space = &space
	} else if !errors.Is(err, errors.ErrUnsupported) {
		return DiskUsage{}, err
	}
	return u, nil
}

// runOf returns the directory whose checkpoints a file belongs to: one that
// keeps leases, or broken checkpoints, belongs to its parent.
func runOf(name string) string {
	in := path.Dir(name)
	for reserved := strings.Index("/"+in, "/.ckpt."); reserved >= 0; reserved = strings.Index("/"+in, "/.ckpt.") {
		in = strings.TrimSuffix(in[:reserved], "/")
	}
	if in == "." {
		return ""
	}
	return in
}

func kindOf(name string) string {
	f, ok := filename.Parse(name)
	switch {
	case strings.Contains("/"+name, "/.ckpt.quarantine/"):
		return "quarantine"
	case strings.Contains("/"+name, "/.ckpt."):
		return "leases"
	case path.Base(name) == filename.State:
		return "state"
	case ok && strings.HasSuffix(f.Path, filename.RecoverySuffix):
		return "recovery"
	case !ok:
		return "other"
	}
	return map[filename.Part]string{filename.Index: "index", filename.Data: "data", filename.Receipt: "receipt", filename.Parity: "parity"}[f.Part]
}
