package checkpoint

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/publish"
)

// Incremental saves write what has changed. The bytes of every large tensor are
// compared, by a hash of 128 bits, with those that the last save of this
// Checkpoint has published; a data file that holds enough of what has not changed
// becomes a file of the new checkpoint too, by a hard link. Each checkpoint
// has all its files under names of its own: TensorFlow reads it as any other, and
// any of them can be removed.
//
// What has been linked once for a bad sector would be bad in all checkpoints that
// share it. So a file is shared by only so many of them, or has parity.
//
// Objects are asked for their tensors twice, as with Options.Sharding. The first
// save of a process writes everything, as does one to a path that is taken,
// and every one where the place has no links: on another file system than the
// last, or on one that has none.
type Incremental struct {
	// Rewrite is how many checkpoints share a file, before what it holds is
	// written again. Default: 10. With Options.Parity, any number.
	Rewrite int
}

// rewriteEvery is the default of Incremental.Rewrite.
const rewriteEvery = 10

// checkIncremental returns why the options cannot be had together.
func (o *Options) checkIncremental() error {
	switch {
	case o.Incremental == nil:
		return nil
	case o.Incremental.Rewrite < 0:
		return fmt.Errorf("Incremental.Rewrite is %d, want a positive number, or 0 for %d", o.Incremental.Rewrite, rewriteEvery)
	case o.Workers != nil:
		return errors.New("Incremental and Workers cannot be had together: each worker would have to know what the others have written")
	case o.Sharding != nil:
		return errors.New("Incremental and Sharding both decide which data files there are")
	}
	return nil
}

// lineage returns what remembers the last save, nil if every save writes all.
func (o *Options) lineage() *publish.Lineage {
	switch {
	case o.Incremental == nil || o.Exactly.On():
		return nil
	case o.Parity:
		return publish.NewLineage(0)
	case o.Incremental.Rewrite == 0:
		return publish.NewLineage(rewriteEvery)
	}
	return publish.NewLineage(o.Incremental.Rewrite)
}
