// Package tiling says whether stored regions of a partitioned tensor can make
// up a wanted one (TensorFlow: TensorSliceSet in core/util/tensor_slice_set.cc).
package tiling

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/tensor"
)

// maxSteps bounds how many dimensions of pairs of regions are held against each
// other. A million cuts along one dimension need next to none and a grid of 300
// by 300 stays below; only an index made to waste time gets there.
const maxSteps = 1 << 25

// Cover returns which of the stored regions share elements with want. It
// fails if any two stored regions overlap, as TensorFlow does, or if together
// they lack a part of want. All regions are resolved in one shape.
func Cover(stored []tensor.Slice, want tensor.Slice) ([]int, error) {
	if err := Disjoint(stored); err != nil {
		return nil, err
	}
	var needed []int
	var have int64
	for i, s := range stored {
		if n := shared(s, want); n > 0 {
			needed = append(needed, i)
			have += n
		}
	}
	if total := shared(want, want); have != total {
		return nil, fmt.Errorf("not sufficient slices to restore slice %v: they hold %d of its %d elements", want, have, total)
	}
	return needed, nil
}

// shared returns the number of elements that two regions have in common.
func shared(a, b tensor.Slice) int64 {
	n := int64(1)
	for d := range a.Start {
		from := max(a.Start[d], b.Start[d])
		to := min(a.Start[d]+a.Length[d], b.Start[d]+b.Length[d])
		if to <= from {
			return 0
		}
		n *= to - from
	}
	return n
}

// Disjoint fails if two regions share an element.
func Disjoint(regions []tensor.Slice) error {
	if len(regions) < 2 {
		return nil
	}
	if len(regions[0].Start) == 0 {
		return overlap(regions[0], regions[1]) // a scalar has one element
	}
	axis := busiest(regions)
	order := make([]int, len(regions))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(regions[i].Start[axis], regions[j].Start[axis]) })
	return sweep(regions, order, axis)
}

// sweep goes along an axis and holds each region against those still open.
func sweep(regions []tensor.Slice, order []int, axis int) error {
	var open []int
	steps := 0
	for _, i := range order {
		at := regions[i].Start[axis]
		open = slices.DeleteFunc(open, func(j int) bool { return regions[j].Start[axis]+regions[j].Length[axis] <= at })
		if steps += len(open) * len(regions[i].Start); steps > maxSteps {
			return fmt.Errorf("%d slices are too many to compare", len(regions))
		}
		for _, j := range open {
			if shared(regions[i], regions[j]) > 0 {
				return overlap(regions[min(i, j)], regions[max(i, j)])
			}
		}
		open = append(open, i)
	}
	return nil
}

// busiest returns the dimension along which most cuts were made: sweeping
// along it keeps the fewest regions open.
func busiest(regions []tensor.Slice) int {
	best, most := 0, 0
	for d := range regions[0].Start {
		starts := map[int64]struct{}{}
		for _, r := range regions {
			starts[r.Start[d]] = struct{}{}
		}
		if len(starts) > most {
			best, most = d, len(starts)
		}
	}
	return best
}

func overlap(a, b tensor.Slice) error {
	return fmt.Errorf("overlapping slices: existing slice = %v, new slice = %v", a, b)
}
