package tensorbundle

import (
	"cmp"
	"fmt"

	"github.com/ckpt-dev/ckpt/tensor"
)

// Tensors reads several tensors as Tensor does. Those that follow each other in
// the file are read together, as large ones are: a thousand small readings take
// many times as long as one large one.
func (r *Reader) Tensors(names []string) ([]tensor.Tensor, error) {
	all, data := make([]tensor.Tensor, len(names)), make([][]byte, len(names))
	room := func(i int, s *stored) ([]byte, error) {
		data[i] = make([]byte, s.Size) // which the file has
		return data[i], nil
	}
	alone := func(i int) (err error) {
		all[i], err = r.Tensor(names[i])
		return err
	}
	if err := r.several(names, room, alone); err != nil {
		return nil, err
	}
	for i, b := range data {
		if b == nil {
			continue
		}
		s, err := r.find(names[i])
		if err == nil {
			all[i], err = tensor.FromBytes(s.DType, s.Shape, b)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ReadAllInto reads several tensors, each into its dst, as ReadInto does, and
// together as Tensors does.
func (r *Reader) ReadAllInto(names []string, dst [][]byte) error {
	if len(names) != len(dst) {
		return fmt.Errorf("%d tensors into %d places", len(names), len(dst))
	}
	room := func(i int, s *stored) ([]byte, error) { return dst[i], s.fits(dst[i]) }
	return r.several(names, room, func(i int) error { return r.ReadInto(names[i], dst[i]) })
}

// VerifyAll verifies several tensors as Verify does, and together as Tensors
// does.
func (r *Reader) VerifyAll(names []string) error {
	return r.several(names, nil, func(i int) error { return r.Verify(names[i]) })
}

// fits refuses a destination of another size than the tensor's.
func (s *stored) fits(dst []byte) error {
	n, err := s.Shape.NumElements()
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	if size := n * int64(s.DType.Size()); framed(s.DType) || size != int64(len(dst)) {
		return fmt.Errorf("%s: %v %v does not fit into %d bytes", s.Name, s.DType, s.Shape, len(dst))
	}
	return nil
}

// several reads tensors in the order of their names: to room, or, without that,
// to nowhere. What no group takes is read by alone. The error is that of the first
// tensor that has one.
func (r *Reader) several(names []string, room func(i int, s *stored) ([]byte, error), alone func(i int) error) error {
	g := group{keeps: room != nil, swaps: r.bigEndian()}
	for i, name := range names {
		s, err := r.find(name)
		if err == nil && !s.inGroups() {
			if err = g.read(); err == nil {
				err = alone(i)
			}
		} else if err == nil {
			err = r.join(&g, s, func() ([]byte, error) { return room(i, s) })
		}
		if err != nil {
			return cmp.Or(g.read(), err) // what comes before it has the say
		}
	}
	return g.read()
}

// inGroups reports whether a tensor is one run of bytes, and none that several
// readers share.
func (s *stored) inGroups() bool {
	return s.parts == nil && s.DType.Valid() && !framed(s.DType) && s.Size < splitAt
}
