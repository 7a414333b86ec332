package sharding

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/tensor"
)

// MaxShardSize returns the policy of data files of at most so many bytes. It
// fills one after the other, and cuts a tensor that does not fit along one of
// its axes, just as TensorFlow does. A scalar or string that is larger than a
// file may be gets a file of its own, and so does a slice where no axis has
// one small enough (there TensorFlow never returns). The object graph, which
// is written last and never cut, is not counted.
// (TensorFlow: tf.train.experimental.MaxShardSizePolicy)
func MaxShardSize(bytes int64) Policy { return maxShardSize(bytes) }

type maxShardSize int64

func (m maxShardSize) Description() string { return fmt.Sprintf("at most %d bytes", int64(m)) }

func (m maxShardSize) Shards(tensors []Tensor) ([]Shard, error) {
	if m <= 0 {
		return nil, fmt.Errorf("a data file of at most %d bytes cannot be", int64(m))
	}
	f := filler{max: int64(m), remaining: int64(m), shards: []Shard{nil}}
	for _, t := range tensors {
		if err := f.add(t); err != nil {
			return nil, err
		}
	}
	return append(f.shards, f.oversized...), nil
}

// Warnings returns what is larger than the policy's limit.
func (m maxShardSize) Warnings(shards []Shard) []string {
	var list []string
	for _, s := range shards {
		for _, t := range s {
			if t.Bytes > int64(m) {
				list = append(list, fmt.Sprintf("%s: %d bytes in one piece are more than the %d of a shard", t.Name, t.Bytes, int64(m)))
			}
		}
	}
	return list
}

// filler fills one shard after the other (checkpoint/sharding/
// sharding_policies.py, MaxShardSizePartitioner).
type filler struct {
	max, remaining int64
	shards         []Shard // the last is being filled
	oversized      []Shard // those go behind all others
}

func (f *filler) add(t Tensor) error {
	rest, full, err := t.check()
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	if len(t.Shape) == 0 {
		f.scalar(t)
		return nil
	}
	// Of strings, the whole is known exactly; a slice's are taken to be as
	// long as the longest of all.
	size := t.Bytes
	for size > f.remaining {
		axis, n := f.slab(rest, t.Element)
		if n == 0 && f.remaining < f.max {
			f.open()
			continue
		}
		if n > 0 {
			f.place(t.part(cut(&rest, axis, n), full))
		} else { // no shard has more room than this one
			f.oversized = append(f.oversized, Shard{t.part(cut(&rest, longest(rest), 1), full)})
		}
		size = elements(rest) * t.Element
	}
	if elements(rest) > 0 || t.Bytes == 0 {
		last := t.part(rest, full)
		last.Bytes = size
		f.place(last)
	}
	return nil
}

func (f *filler) scalar(t Tensor) {
	switch {
	case t.Bytes > f.max:
		f.oversized = append(f.oversized, Shard{t})
		return
	case t.Bytes > f.remaining:
		f.open()
	}
	f.place(t)
}

func (f *filler) open() {
	f.shards = append(f.shards, nil)
	f.remaining = f.max
}

// place adds what fits.
func (f *filler) place(t Tensor) {
	last := len(f.shards) - 1
	f.shards[last] = append(f.shards[last], t)
	f.remaining -= t.Bytes
}

// slab returns the axis along which the fewest cuts make pieces that fit into
// the shard being filled, the first if several do, and the length of one
// piece: 0 if not even a single index fits.
func (f *filler) slab(rest tensor.Slice, element int64) (axis int, n int64) {
	var fewest int64
	for a, length := range rest.Length {
		fit := f.remaining / (elements(rest) / length * element)
		if fit == 0 {
			continue
		}
		if parts := ceil(length, fit); fewest == 0 || parts < fewest {
			axis, n, fewest = a, ceil(length, parts), parts
		}
	}
	return axis, n
}

// longest returns the axis of which an index is the least of a region.
func longest(r tensor.Slice) int {
	axis := 0
	for a, n := range r.Length {
		if n > r.Length[axis] {
			axis = a
		}
	}
	return axis
}

// cut takes the first n indices along an axis off rest.
func cut(rest *tensor.Slice, axis int, n int64) tensor.Slice {
	head := tensor.Slice{Start: append([]int64(nil), rest.Start...), Length: append([]int64(nil), rest.Length...)}
	head.Length[axis] = n
	rest.Start = append([]int64(nil), rest.Start...)
	rest.Length = append([]int64(nil), rest.Length...)
	rest.Start[axis] += n
	rest.Length[axis] -= n
	return head
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }
