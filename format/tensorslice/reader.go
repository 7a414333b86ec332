// Package tensorslice reads TensorFlow's V1 checkpoints: what very old
// TensorFlow wrote, and tf.compat.v1.train.Saver(write_version=V1) still does
// (TensorFlow: TensorSliceReader, in core/util/tensor_slice_reader.cc).
//
// A V1 checkpoint is one file, or one per shard, "model.ckpt" or
// "model.ckpt-00000-of-00002". Each is a table (internal/table) in which the
// values themselves lie:
//
//	""          SavedTensorSlices{meta}: names, shapes, dtypes and slices
//	slice key   SavedTensorSlices{data}: one slice's value, in the field that
//	            a TensorProto has for its type; a whole tensor is one slice
//
// There are no checksums of tensors; those of the table's blocks cover all.
package tensorslice

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/orderedcode"
	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// File is one file of a checkpoint. Errors call it Name.
type File struct {
	Name string
	io.ReaderAt
	Size int64
}

// Reader reads a V1 checkpoint. It is a format.Source, safe for use by several
// goroutines. (TensorFlow: TensorSliceReader)
type Reader struct {
	tables  []*table.Reader
	tensors map[string]*stored
	names   []string
}

var _ format.Source = (*Reader)(nil)

// stored is a tensor as the files describe it.
type stored struct {
	name    string
	dtype   tensor.DType
	shape   tensor.Shape
	parts   []part
	regions []tensor.Slice // of the parts, resolved
}

// part is a stored slice.
type part struct {
	file  int
	table *table.Reader
	name  string // of the file
	key   string
}

// The versions of V1 checkpoints (core/public/version.h).
const (
	consumer    = 1
	minProducer = 0
)

// NewReader reads the descriptions in all files of a checkpoint. Damage is a
// *format.CorruptError, whose Part is the File's Name.
func NewReader(files []File) (*Reader, error) {
	r := &Reader{tensors: map[string]*stored{}}
	for i, f := range files {
		t, err := table.NewReader(f.ReaderAt, f.Size, f.Name)
		if err != nil {
			return nil, err
		}
		r.tables = append(r.tables, t)
		meta, err := readMeta(t, f.Name)
		if err != nil {
			return nil, err
		}
		for _, m := range meta.Tensors {
			if err := r.add(m, part{file: i, table: t, name: f.Name}); err != nil {
				return nil, corrupt(f.Name, table.Handle{}, m.Name, err)
			}
		}
	}
	r.names = r.sortedNames()
	return r, nil
}

// IsV1 reports whether the first size bytes of r are a file of a V1 checkpoint.
func IsV1(r io.ReaderAt, size int64) bool {
	t, err := table.NewReader(r, size, "")
	if err != nil {
		return false
	}
	// The index of a V2 checkpoint is a table too; its first value, a
	// BundleHeader, begins otherwise.
	first, ok, err := t.Get(nil)
	return err == nil && ok && len(first.Value) > 0 && first.Value[0] == 0x0a
}

func readMeta(t *table.Reader, name string) (*tfproto.SavedTensorSliceMeta, error) {
	e, ok, err := t.Get(nil)
	if err != nil {
		return nil, err
	}
	var s tfproto.SavedTensorSlices
	if !ok {
		err = errors.New("no description of the tensors: the first key is not empty")
	} else if err = s.Unmarshal(e.Value); err == nil && s.Meta == nil {
		err = errors.New("no description of the tensors: not a V1 checkpoint")
	}
	if err != nil {
		return nil, corrupt(name, e.Block, "", err)
	}
	if err := s.Meta.Versions.Check(consumer, minProducer); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, err, format.ErrUnsupported)
	}
	return s.Meta, nil
}

// add takes in what one file says of a tensor; others may have more slices.
func (r *Reader) add(m tfproto.SavedSliceMeta, in part) error {
	shape, dtype := tensor.Shape(m.Shape.Dims), tensor.DType(m.Type)
	if _, err := shape.NumElements(); err != nil {
		return fmt.Errorf("invalid tensor shape: %w", err)
	}
	s, ok := r.tensors[m.Name]
	if !ok {
		s = &stored{name: m.Name, dtype: dtype, shape: shape}
		r.tensors[m.Name] = s
	}
	if s.dtype != dtype || !s.shape.Equal(shape) {
		return fmt.Errorf("is %v %v here, %v %v elsewhere", dtype, shape, s.dtype, s.shape)
	}
	for _, l := range m.Slices {
		region, err := tensor.Slice{Start: l.Start, Length: l.Length}.Resolve(shape)
		if err != nil {
			return err
		}
		in.key = orderedcode.SliceKey(m.Name, l.Start, l.Length)
		s.parts, s.regions = append(s.parts, in), append(s.regions, region)
	}
	return nil
}

// Names returns the tensors' names in file order.
func (r *Reader) Names() []string { return slices.Clone(r.names) }

func (r *Reader) sortedNames() []string {
	type place struct {
		first part
		name  string
	}
	order := make([]place, 0, len(r.tensors))
	for name, s := range r.tensors {
		order = append(order, place{s.first(), name})
	}
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(comparePlace(a.first, b.first), cmp.Compare(a.name, b.name))
	})
	names := make([]string, len(order))
	for i, p := range order {
		names[i] = p.name
	}
	return names
}

func comparePlace(a, b part) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.key, b.key))
}

func (s *stored) first() part {
	if len(s.parts) == 0 {
		return part{}
	}
	return slices.MinFunc(s.parts, comparePlace)
}

// Info returns dtype and shape of the tensor name.
func (r *Reader) Info(name string) (format.Info, error) {
	s, err := r.find(name)
	if err != nil {
		return format.Info{}, err
	}
	return format.Info{DType: s.dtype, Shape: slices.Clone(s.shape)}, nil
}

func (r *Reader) find(name string) (*stored, error) {
	if s, ok := r.tensors[name]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("%s: %w", name, format.ErrNoTensor)
}

func corrupt(file string, at table.Handle, name string, err error) error {
	return &format.CorruptError{Part: file, Tensor: name, Offset: at.Offset, Length: at.Size, Reason: err.Error()}
}
