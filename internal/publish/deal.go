package publish

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/tiling"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// deal decides which worker writes what, from what each of them has. Tensors,
// or slices, that several have are dealt out by their size, so that the
// writing is shared and nothing is written twice; but strings, among them the
// states of Go objects, which need not be the same everywhere, are those of the
// lowest rank. The graph is given to no worker: in a file of its own it is
// last, as in TensorFlow.
func deal(lists [][]sharding.Tensor) ([]sharding.Tensor, error) {
	d := dealer{at: make(map[string]int), load: make([]int64, len(lists))}
	for rank, list := range lists {
		for _, t := range list {
			d.has(rank, t)
		}
	}
	if err := d.check(lists); err != nil {
		return nil, err
	}
	order := make([]int, len(d.all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(d.all[j].Bytes, d.all[i].Bytes) })
	for _, i := range order {
		d.give(i)
	}
	return d.all, nil
}

type dealer struct {
	all     []sharding.Tensor // each once, in the order of the first who has it
	holders [][]int           // of each, ascending
	at      map[string]int    // place in all, by name and slice
	load    []int64           // bytes, by rank
}

func (d *dealer) has(rank int, t sharding.Tensor) {
	key := t.Name
	if t.Slice != nil {
		key += "\x00" + t.Slice.String()
	}
	i, ok := d.at[key]
	if !ok {
		i = len(d.all)
		d.at[key] = i
		d.all, d.holders = append(d.all, t), append(d.holders, nil)
	}
	d.holders[i] = append(d.holders[i], rank)
}

// give decides about one.
func (d *dealer) give(i int) {
	t := &d.all[i]
	to := d.holders[i][0]
	switch {
	case t.Name == trackable.GraphKey:
		t.Worker = len(d.load)
		return
	case t.DType.Size() > 0:
		for _, rank := range d.holders[i] {
			if d.load[rank] < d.load[to] {
				to = rank
			}
		}
	}
	t.Worker = to
	d.load[to] += t.Bytes
}

// check fails unless all workers have the same variables, and the slices of
// each are all of it.
func (d *dealer) check(lists [][]sharding.Tensor) error {
	first := make(map[string]sharding.Tensor)
	for _, t := range lists[0] {
		first[t.Name] = t
	}
	for rank, list := range lists {
		names := make(map[string]bool)
		for _, t := range list {
			names[t.Name] = true
			if err := same(first, t); err != nil {
				return fmt.Errorf("worker %d: %s: %w", rank, t.Name, err)
			}
		}
		if len(names) == len(first) {
			continue
		}
		for _, t := range lists[0] {
			if !names[t.Name] {
				return fmt.Errorf("worker %d: %s: it has no such tensor, and worker 0 has", rank, t.Name)
			}
		}
	}
	return d.whole()
}

func same(first map[string]sharding.Tensor, t sharding.Tensor) error {
	f, ok := first[t.Name]
	switch {
	case !ok:
		return fmt.Errorf("worker 0 has no such tensor")
	case f.DType != t.DType || !shapeOf(f).Equal(shapeOf(t)):
		return fmt.Errorf("is %v %v, that of worker 0 is %v %v", t.DType, shapeOf(t), f.DType, shapeOf(f))
	}
	return nil
}

// shapeOf returns the shape of the whole tensor.
func shapeOf(t sharding.Tensor) tensor.Shape {
	if t.Slice != nil {
		return t.Full
	}
	return t.Shape
}

// whole fails if slices of a tensor overlap or lack a part of it.
func (d *dealer) whole() error {
	parts := make(map[string][]tensor.Slice)
	for _, t := range d.all {
		r := tensor.Whole(shapeOf(t))
		if t.Slice != nil {
			var err error
			if r, err = t.Slice.Resolve(t.Full); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
		parts[t.Name] = append(parts[t.Name], r)
	}
	for _, t := range d.all {
		if t.Slice == nil && len(parts[t.Name]) < 2 || len(parts[t.Name]) == 0 {
			continue
		}
		if _, err := tiling.Cover(parts[t.Name], tensor.Whole(shapeOf(t))); err != nil {
			return fmt.Errorf("%s: what the workers hold: %w", t.Name, err)
		}
		delete(parts, t.Name)
	}
	return nil
}
