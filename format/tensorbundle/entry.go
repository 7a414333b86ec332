package tensorbundle

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/orderedcode"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Entry says where a tensor, or a slice of a partitioned one, lies.
// (TensorFlow: BundleEntryProto)
type Entry struct {
	Name         string // of a slice, the whole tensor's
	DType        tensor.DType
	Shape        tensor.Shape  // of a slice, its own
	Slice        *tensor.Slice // nil: a whole tensor
	Full         tensor.Shape  // the whole tensor's shape when Slice is set
	Shard        int           // number of the data file
	Offset, Size int64         // of the bytes there
	CRC32C       uint32        // masked, as stored; of strings and variants see the package
}

// Shard is what the index needs to know of one data file. It is small, and can
// be sent to whoever writes the index.
type Shard struct {
	Entries []Entry // in the order they were added
	Size    int64   // of the data file; -1 when writing it failed
	CRC32C  uint32  // of the data file's bytes, not masked
}

// key returns the key under which the index holds e.
func (e *Entry) key() string {
	if e.Slice == nil {
		return e.Name
	}
	return orderedcode.SliceKey(e.Name, e.Slice.Start, e.Slice.Length)
}

func (e *Entry) proto() tfproto.BundleEntry {
	return tfproto.BundleEntry{
		DType:   int32(e.DType),
		Shape:   tfproto.TensorShape{Dims: e.Shape},
		ShardID: int32(e.Shard),
		Offset:  e.Offset,
		Size:    e.Size,
		CRC32C:  e.CRC32C,
	}
}

// newEntry says where t belongs; its place is not known yet.
func newEntry(t format.Named) (Entry, error) {
	e := Entry{Name: t.Name, DType: t.Tensor.DType(), Shape: t.Tensor.Shape()}
	if e.Name == "" {
		return e, errors.New("add tensor: the name is empty")
	}
	if !e.DType.Valid() {
		return e, fmt.Errorf("%s: dtype %v cannot be stored: %w", e.Name, e.DType, format.ErrUnsupported)
	}
	if t.Slice == nil {
		return e, nil
	}
	region, err := t.Slice.Resolve(t.Full)
	if err != nil {
		return e, fmt.Errorf("%s: %w", e.Name, err)
	}
	if !region.Shape().Equal(e.Shape) {
		return e, fmt.Errorf("%s: slice %v of %v has shape %v, its value has %v", e.Name, t.Slice, t.Full, region.Shape(), e.Shape)
	}
	// A slice that is all there is counts as whole (BundleWriter::AddSlice).
	if !region.Shape().Equal(t.Full) {
		e.Slice = &tensor.Slice{Start: slices.Clone(t.Slice.Start), Length: slices.Clone(t.Slice.Length)}
		e.Full = slices.Clone(t.Full)
	}
	return e, nil
}

// keys are the keys of an index, or of one shard's part of it. Those of
// partitioned tensors, which have no data of their own, have a partition.
type keys map[string]*partition

// partition gathers the slices of a tensor.
type partition struct {
	dtype   tensor.DType
	full    tensor.Shape
	shard   int // of the first slice seen
	slices  []tfproto.TensorSlice
	regions []tensor.Slice // the same, resolved
}

// claim takes the keys that e needs; each can be taken once.
func (k keys) claim(e *Entry) error {
	if e.Slice != nil {
		if err := k.claimSlice(e); err != nil {
			return err
		}
	}
	key := e.key()
	if _, taken := k[key]; taken {
		return fmt.Errorf("%s: adding duplicate key", describe(e))
	}
	k[key] = nil
	return nil
}

func (k keys) claimSlice(e *Entry) error {
	p, taken := k[e.Name]
	switch {
	case !taken:
		p = &partition{dtype: e.DType, full: e.Full, shard: e.Shard}
		k[e.Name] = p
	case p == nil:
		return fmt.Errorf("%s: adding duplicate key: there is a whole tensor of that name", describe(e))
	case p.dtype != e.DType || !p.full.Equal(e.Full):
		return fmt.Errorf("%s: is a slice of %v %v, others are of %v %v", describe(e), e.DType, e.Full, p.dtype, p.full)
	}
	region, err := e.Slice.Resolve(e.Full)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	p.slices = append(p.slices, tfproto.TensorSlice{Start: e.Slice.Start, Length: e.Slice.Length})
	p.regions = append(p.regions, region)
	return nil
}

// describe names an entry in errors.
func describe(e *Entry) string {
	if e.Slice == nil {
		return e.Name
	}
	return fmt.Sprintf("%s, slice %v", e.Name, e.Slice)
}
