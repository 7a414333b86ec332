package tfevents

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// maxRepeated bounds how many elements of an event's tensors are repetitions,
// which take no bytes of the file.
const maxRepeated = 1 << 16

// decoder decodes the values of one event.
type decoder struct{ repeated int64 }

func (d *decoder) value(p tfproto.SummaryValue) (Value, error) {
	v := Value{Tag: p.Tag, Plugin: p.Plugin, DisplayName: p.DisplayName, Description: p.Description}
	var err error
	switch {
	case p.Simple != nil:
		v.Simple = true
		v.Tensor, err = tensor.New(nil, []float32{*p.Simple})
	case p.Tensor != nil:
		v.Tensor, err = d.tensor(p.Tensor)
	}
	return v, err
}

// tensor leaves out tensors that are not values: of resources, or of
// dtypes that do not exist yet.
func (d *decoder) tensor(b []byte) (tensor.Tensor, error) {
	var p tfproto.TensorProto
	if err := p.Unmarshal(b); err != nil {
		return tensor.Tensor{}, err
	}
	var shape tensor.Shape
	if p.Shape != nil {
		shape = p.Shape.Dims
	}
	n, err := shape.NumElements()
	dtype := tensor.DType(p.DType)
	switch {
	case err != nil:
		return tensor.Tensor{}, err
	case dtype == tensor.String:
		return d.strings(shape, n, p.Strings)
	case dtype.Size() == 0:
		return tensor.Tensor{}, nil
	case len(p.Content) > 0:
		return tensor.FromBytes(dtype, shape, p.Content)
	}
	elems, err := p.Elements(p.DType, dtype.Size())
	if errors.Is(err, tfproto.ErrNoField) {
		return tensor.Tensor{}, nil
	}
	if err != nil {
		return tensor.Tensor{}, err
	}
	return d.numbers(dtype, shape, n, elems)
}

func (d *decoder) numbers(dtype tensor.DType, shape tensor.Shape, n int64, elems []byte) (tensor.Tensor, error) {
	size := dtype.Size()
	missing, err := d.missing(len(elems)/size, n)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if missing > 0 {
		last := make([]byte, size) // zero, if there is none
		copy(last, elems[max(0, len(elems)-size):])
		elems = append(elems[:len(elems):len(elems)], bytes.Repeat(last, missing)...)
	}
	return tensor.FromBytes(dtype, shape, elems)
}

func (d *decoder) strings(shape tensor.Shape, n int64, elems [][]byte) (tensor.Tensor, error) {
	missing, err := d.missing(len(elems), n)
	if err != nil {
		return tensor.Tensor{}, err
	}
	list := make([]string, 0, len(elems)+missing)
	for _, e := range elems {
		list = append(list, string(e))
	}
	last := ""
	if len(list) > 0 {
		last = list[len(list)-1]
	}
	for range missing {
		list = append(list, last)
	}
	return tensor.FromStrings(shape, list)
}

// missing returns how often the last element stands for those after it
// (framework/tensor.cc, FromProtoField).
func (d *decoder) missing(have int, want int64) (int, error) {
	missing := max(0, want-int64(have))
	if missing > maxRepeated-d.repeated {
		return 0, fmt.Errorf("a tensor of %d elements has %d", want, have)
	}
	d.repeated += missing
	return int(missing), nil
}
