package tensorslice

import (
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/internal/tiling"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Tensor reads the tensor name, whole or put together from its slices.
func (r *Reader) Tensor(name string) (tensor.Tensor, error) {
	s, err := r.find(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	return s.read(tensor.Whole(s.shape))
}

// Slice reads a region of the tensor name, whether or not it was stored in
// slices. (TensorFlow: CopySliceData)
func (r *Reader) Slice(name string, part tensor.Slice) (tensor.Tensor, error) {
	s, err := r.find(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	want, err := part.Resolve(s.shape)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", name, err)
	}
	return s.read(want)
}

// ReadInto reads the tensor name, whose elements must have a fixed size, into
// dst, which must have exactly the tensor's bytes.
func (r *Reader) ReadInto(name string, dst []byte) error {
	t, err := r.Tensor(name)
	if err != nil {
		return err
	}
	if t.DType().Size() == 0 || len(t.Bytes()) != len(dst) {
		return fmt.Errorf("%s: %v %v does not fit into %d bytes", name, t.DType(), t.Shape(), len(dst))
	}
	copy(dst, t.Bytes())
	return nil
}

// Verify reads all of the tensor name; a partitioned one must be complete.
func (r *Reader) Verify(name string) error {
	_, err := r.Tensor(name)
	return err
}

// value is the decoded value of a part: plain bytes, or elements.
type value struct {
	region tensor.Slice
	data   []byte
	elems  [][]byte
}

// read puts a region together. Memory for it is allocated when all values that
// make it up have been seen: a shape alone is only a claim.
func (s *stored) read(want tensor.Slice) (tensor.Tensor, error) {
	if !s.dtype.Valid() || s.dtype == tensor.Variant {
		return tensor.Tensor{}, fmt.Errorf("%s: dtype %v: %w", s.name, s.dtype, format.ErrUnsupported)
	}
	needed, err := tiling.Cover(s.regions, want)
	if err != nil {
		return tensor.Tensor{}, corrupt(s.first().name, table.Handle{}, s.name, err)
	}
	var values []value
	for _, i := range needed {
		v, err := s.value(s.parts[i], s.regions[i])
		if err != nil {
			return tensor.Tensor{}, err
		}
		values = append(values, v)
	}
	n, err := want.Shape().NumElements()
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", s.name, err)
	}
	if s.dtype == tensor.String {
		return joinStrings(values, want, n)
	}
	data := make([]byte, n*int64(s.dtype.Size()))
	for _, v := range values {
		tensor.CopyRegion(data, want, v.data, v.region, s.dtype.Size())
	}
	return tensor.FromBytes(s.dtype, want.Shape(), data)
}

func joinStrings(values []value, want tensor.Slice, n int64) (tensor.Tensor, error) {
	elems := make([]string, n)
	for _, v := range values {
		tensor.Runs(want, v.region, func(dst, src, n int64) {
			for i := range n {
				elems[dst+i] = string(v.elems[src+i])
			}
		})
	}
	return tensor.FromStrings(want.Shape(), elems)
}

// value reads and decodes one part.
func (s *stored) value(p part, region tensor.Slice) (value, error) {
	e, ok, err := p.table.Get([]byte(p.key))
	if err != nil {
		return value{}, s.named(err)
	}
	var saved tfproto.SavedTensorSlices
	if !ok {
		err = fmt.Errorf("slice %v is missing", region)
	} else if err = saved.Unmarshal(e.Value); err == nil && saved.Data == nil {
		err = fmt.Errorf("slice %v has no value", region)
	}
	if err != nil {
		return value{}, corrupt(p.name, e.Block, s.name, err)
	}
	v, err := s.decode(region, saved.Data.Data)
	if err != nil && !errors.Is(err, format.ErrUnsupported) {
		err = corrupt(p.name, e.Block, s.name, err)
	}
	return v, err
}

// named adds the tensor's name to an error of the table.
func (s *stored) named(err error) error {
	if c := (*format.CorruptError)(nil); errors.As(err, &c) {
		named := *c
		named.Tensor = s.name
		return &named
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// decode takes the elements out of a TensorProto, as many as the region has.
func (s *stored) decode(region tensor.Slice, proto tfproto.TensorProto) (value, error) {
	n, err := region.Shape().NumElements()
	if err != nil {
		return value{}, err
	}
	v := value{region: region}
	have := int64(len(proto.Strings))
	if s.dtype == tensor.String {
		v.elems = proto.Strings
	} else {
		size := s.dtype.Size()
		v.data, err = proto.Elements(int32(s.dtype), size)
		switch {
		case errors.Is(err, tfproto.ErrNoField):
			return value{}, fmt.Errorf("%s: dtype %v in a V1 checkpoint: %w", s.name, s.dtype, format.ErrUnsupported)
		case err != nil:
			return value{}, err
		}
		have = int64(len(v.data) / size)
	}
	if have != n {
		return value{}, fmt.Errorf("slice %v has %d elements, its value has %d", region, n, have)
	}
	return v, nil
}
