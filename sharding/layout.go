package sharding

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/tensor"
)

// Layout says what each data file of a checkpoint holds.
type Layout struct {
	Shards []Shard // by file number; those of one worker follow each other
	// Warnings are for a log: where the policy could not do what it is for.
	Warnings []string
	parts    map[string][]Part // by key
}

// Part is where a tensor, or a slice of one, goes.
type Part struct {
	Shard int           // number of the data file
	Slice *tensor.Slice // nil: the whole tensor
	Full  tensor.Shape  // the whole tensor's shape when Slice is set
}

// Parts returns where the tensor, or the slice of it, goes that Split was
// given: in the order of files, and in one in the order of the policy.
func (l *Layout) Parts(name string, slice *tensor.Slice) []Part { return l.parts[key(name, slice)] }

func key(name string, slice *tensor.Slice) string {
	if slice == nil {
		return name
	}
	return name + "\x00" + slice.String()
}

// Split asks a policy about each worker's tensors, in the order of their
// ranks, and checks what it answers: that every tensor is there, once, as it
// was, and at its worker. The error names the policy.
// (TensorFlow: validate_shards)
func Split(p Policy, tensors []Tensor) (*Layout, error) {
	l := &Layout{parts: make(map[string][]Part)}
	tensors = slices.Clone(tensors)
	slices.SortStableFunc(tensors, func(a, b Tensor) int { return cmp.Compare(a.Worker, b.Worker) })
	for len(tensors) > 0 {
		n := slices.IndexFunc(tensors, func(t Tensor) bool { return t.Worker != tensors[0].Worker })
		if n < 0 {
			n = len(tensors)
		}
		if err := l.ask(p, tensors[:n]); err != nil {
			return nil, fmt.Errorf("sharding policy %q: %w", p.Description(), err)
		}
		tensors = tensors[n:]
	}
	return l, nil
}

// ask adds the shards of one worker's tensors.
func (l *Layout) ask(p Policy, tensors []Tensor) error {
	c, err := newChecker(tensors)
	if err != nil {
		return err
	}
	shards, err := p.Shards(slices.Clone(tensors))
	if err != nil {
		return err
	}
	shards = slices.DeleteFunc(slices.Clone(shards), func(s Shard) bool { return len(s) == 0 })
	for i, s := range shards {
		for _, t := range s {
			if err := c.take(t, len(l.Shards)+i); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
	}
	if err := c.all(); err != nil {
		return err
	}
	for i, t := range tensors {
		l.parts[key(t.Name, t.Slice)] = c.parts[i]
	}
	l.Shards = append(l.Shards, shards...)
	if w, ok := p.(interface{ Warnings([]Shard) []string }); ok {
		l.Warnings = append(l.Warnings, w.Warnings(shards)...)
	}
	return nil
}
