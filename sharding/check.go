package sharding

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/tiling"
	"github.com/ckpt-dev/ckpt/tensor"
)

// checker holds what a policy answers against what it was asked.
type checker struct {
	tensors []Tensor
	regions []tensor.Slice   // what each is of the whole
	index   map[string][]int // of the tensors and slices of each name
	parts   [][]Part         // what has come back of each
}

func newChecker(tensors []Tensor) (*checker, error) {
	c := &checker{tensors: tensors, index: make(map[string][]int), parts: make([][]Part, len(tensors))}
	for i, t := range tensors {
		region, _, err := t.check()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
		c.regions = append(c.regions, region)
		c.index[t.Name] = append(c.index[t.Name], i)
	}
	return c, nil
}

// take accepts a part that goes to a shard.
func (c *checker) take(t Tensor, shard int) error {
	among := c.index[t.Name]
	if len(among) == 0 {
		return errors.New("was added")
	}
	region, full, err := t.region()
	if err != nil {
		return fmt.Errorf("was reshaped: %w", err)
	}
	if err := unchanged(c.tensors[among[0]], t, full); err != nil {
		return err
	}
	for _, i := range among {
		if within(region, c.regions[i]) {
			p := Part{Shard: shard}
			if t.Slice != nil {
				p.Slice, p.Full = &region, full
			}
			c.parts[i] = append(c.parts[i], p)
			return nil
		}
	}
	return fmt.Errorf("was reshaped: slice %v is not part of one that was given", region)
}

// unchanged compares what is the same for all slices of a tensor.
func unchanged(was, is Tensor, full tensor.Shape) error {
	wasFull := was.Shape
	if was.Slice != nil {
		wasFull = was.Full
	}
	switch {
	case is.DType != was.DType:
		return fmt.Errorf("was %v, became %v", was.DType, is.DType)
	case !full.Equal(wasFull):
		return fmt.Errorf("was reshaped from %v to %v", wasFull, full)
	case is.Worker != was.Worker:
		return fmt.Errorf("was moved from worker %d to worker %d", was.Worker, is.Worker)
	}
	return nil
}

// within reports whether a region lies in another one.
func within(region, of tensor.Slice) bool {
	for i, start := range region.Start {
		if start < of.Start[i] || start+region.Length[i] > of.Start[i]+of.Length[i] {
			return false
		}
	}
	return true
}

// all fails unless what has come back of each tensor tiles it.
func (c *checker) all() error {
	for i, t := range c.tensors {
		if err := tiled(t, elements(c.regions[i]), c.parts[i]); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return nil
}

// tiled fails unless parts that lie in t, which has n elements, are all of it.
func tiled(t Tensor, n int64, parts []Part) error {
	if len(parts) == 0 {
		return errors.New("was dropped")
	}
	// Regions without elements do not overlap, yet one is all there can be.
	if n == 0 && len(parts) > 1 {
		return errors.New("was duplicated")
	}
	var have int64
	var regions []tensor.Slice
	for _, p := range parts {
		r := tensor.Whole(t.Shape)
		if p.Slice != nil {
			r = *p.Slice
		}
		regions = append(regions, r)
		have += elements(r)
	}
	if err := tiling.Disjoint(regions); err != nil {
		return fmt.Errorf("was duplicated: %w", err)
	}
	if have != n {
		return fmt.Errorf("was dropped in part: of %d elements there are %d", n, have)
	}
	return nil
}
