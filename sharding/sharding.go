// Package sharding decides into which data files of a checkpoint its tensors
// go, and which of them are cut into slices for it. It sees what the tensors
// are, never their values: those are streamed to the files later.
//
// A reader does not care: whatever the layout, each tensor is read as a whole.
package sharding

import (
	"errors"
	"fmt"
	"math"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Policy makes a layout. A type that has these methods is a custom one; Func
// makes one of a function. (TensorFlow: tf.train.experimental.ShardingCallback)
type Policy interface {
	// Description names the policy in errors.
	// (TensorFlow: tf.train.experimental.ShardingCallback.description)
	Description() string
	// Shards deals out one worker's tensors to data files. Each must come back
	// once: as it is, or as parts of it (see Tensor.Part) that tile it. The
	// order in a shard does not matter, as tensors are written in that of the
	// save; shards without tensors are left out. If the policy has a method
	// Warnings(shards []Shard) []string, what that says of them is logged.
	Shards(tensors []Tensor) ([]Shard, error)
}

// Shard is what one data file holds.
type Shard []Tensor

// Tensor describes a tensor, or a slice of one, on its way to a data file.
// (TensorFlow: tf.train.experimental.ShardableTensor)
type Tensor struct {
	Name  string
	DType tensor.DType
	Shape tensor.Shape  // of a slice, its own
	Slice *tensor.Slice // nil: the whole
	Full  tensor.Shape  // the whole tensor's shape when Slice is set
	// Bytes is what it counts in a data file, and Element the most that one of
	// its elements does. For strings, that is their own bytes. Zero for what
	// cannot be known before it is written: variants, and the object graph.
	Bytes, Element int64
	// Worker is the rank of the one that holds and writes it.
	Worker int
}

// Describe returns the description of a tensor.
func Describe(t format.Named, worker int) (Tensor, error) {
	d := Tensor{Name: t.Name, DType: t.Tensor.DType(), Shape: t.Tensor.Shape(), Slice: t.Slice, Full: t.Full, Worker: worker}
	if d.DType != tensor.String {
		d.Element = int64(d.DType.Size())
		d.Bytes = t.Tensor.NumElements() * d.Element
		return d, nil
	}
	elems, err := t.Tensor.Strings()
	if err != nil {
		return Tensor{}, fmt.Errorf("%s: %w", t.Name, err)
	}
	for _, e := range elems {
		d.Element = max(d.Element, int64(len(e)))
		d.Bytes += int64(len(e))
	}
	return d, nil
}

// region returns what t is of the whole tensor, and the shape of that.
func (t Tensor) region() (tensor.Slice, tensor.Shape, error) {
	if t.Slice == nil {
		_, err := t.Shape.NumElements()
		return tensor.Whole(t.Shape), t.Shape, err
	}
	r, err := t.Slice.Resolve(t.Full)
	if err == nil && !r.Shape().Equal(t.Shape) {
		err = fmt.Errorf("slice %v of %v is not of shape %v", t.Slice, t.Full, t.Shape)
	}
	if err == nil {
		_, err = t.Full.NumElements()
	}
	return r, t.Full, err
}

// Part returns the part of t that lies at region of the whole tensor. Of
// strings it takes each to be as long as the longest.
func (t Tensor) Part(region tensor.Slice) (Tensor, error) {
	_, full, err := t.region()
	if err != nil {
		return Tensor{}, fmt.Errorf("%s: %w", t.Name, err)
	}
	if region, err = region.Resolve(full); err != nil {
		return Tensor{}, fmt.Errorf("%s: %w", t.Name, err)
	}
	return t.part(region, full), nil
}

// part is Part of a region that is known to be right.
func (t Tensor) part(region tensor.Slice, full tensor.Shape) Tensor {
	p := t
	p.Shape, p.Slice, p.Full = region.Shape(), &region, full
	p.Bytes = elements(region) * t.Element
	if p.Shape.Equal(full) {
		p.Slice, p.Full = nil, nil // all of it is no slice
	}
	return p
}

// elements returns how many elements a region of a valid shape has.
func elements(region tensor.Slice) int64 {
	n := int64(1)
	for _, l := range region.Length {
		n *= l
	}
	return n
}

// check is region of a description that a tensor can have, so that no policy
// need think of others.
func (t Tensor) check() (tensor.Slice, tensor.Shape, error) {
	region, full, err := t.region()
	if err != nil {
		return region, full, err
	}
	n := elements(region)
	switch {
	case t.Bytes < 0 || t.Element < 0:
		err = errors.New("negative size")
	case n > 0 && t.Element > math.MaxInt64/n:
		err = fmt.Errorf("%d elements of %d bytes are too many", n, t.Element)
	case t.Bytes > n*t.Element:
		err = fmt.Errorf("has %d bytes, but %d elements of at most %d", t.Bytes, n, t.Element)
	}
	return region, full, err
}

// Func returns the policy that f is.
func Func(description string, f func(tensors []Tensor) ([]Shard, error)) Policy {
	return policy{description, f}
}

type policy struct {
	description string
	shards      func([]Tensor) ([]Shard, error)
}

func (p policy) Description() string { return p.description }

func (p policy) Shards(tensors []Tensor) ([]Shard, error) {
	if p.shards == nil {
		return nil, errors.New("no function given")
	}
	return p.shards(tensors)
}

// ByWorker returns the policy of one data file for each worker, which is the
// default. (TensorFlow: tf.train.experimental.ShardByTaskPolicy)
func ByWorker() Policy {
	return Func("by worker", func(tensors []Tensor) ([]Shard, error) { return []Shard{tensors}, nil })
}
