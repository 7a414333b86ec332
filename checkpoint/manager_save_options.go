package checkpoint

import (
	"maps"
	"slices"
)

// SaveOptions are about one save. Nil and zero values are the defaults.
type SaveOptions struct {
	// CheckpointNumber is used in the name instead of the save counter, which
	// counts nevertheless. An existing checkpoint of that number is replaced.
	// (TensorFlow: checkpoint_number)
	CheckpointNumber *int64
	// Force saves before CheckpointInterval is over, but not twice at one
	// step. (TensorFlow: check_interval=False)
	Force bool
	// Step goes into the receipt. Default: what StepCounter returns.
	Step *int64
	// Epoch, how many are done, goes into the receipt.
	Epoch *int64
	// Metrics go into the receipt, and retention policies see them.
	Metrics map[string]float64
	// Tags are what people call the checkpoint; they go into the receipt.
	Tags []string
	// Pin is why no rule may remove the checkpoint, "" if one may.
	Pin string
}

// clone returns a copy: what it is about may be written when the caller has
// changed his own.
func (o SaveOptions) clone() SaveOptions {
	o.CheckpointNumber, o.Step, o.Epoch = copyOf(o.CheckpointNumber), copyOf(o.Step), copyOf(o.Epoch)
	o.Metrics, o.Tags = maps.Clone(o.Metrics), slices.Clone(o.Tags)
	return o
}
