package cli

import (
	"bufio"
	"iter"

	"github.com/ckpt-dev/ckpt/tensor"
)

// How much of a tensor is worked on at once. Reading any part of a tensor means
// reading all that its checksum is of, so what is read is large; between
// pieces of what is in memory there is a look at whether to go on.
const (
	readBytes = 1 << 30
	heldBytes = 4 << 20
)

// array is the part of a stored tensor that a command was asked for. It is
// read in pieces, so that a tensor larger than memory can be printed.
type array struct {
	dtype tensor.DType
	shape tensor.Shape // without the dimensions that were indexed
	part  tensor.Slice // resolved
	read  func(part tensor.Slice) (tensor.Tensor, error)
	held  bool         // read takes from memory
	alive func() error // why not to go on; nil: go on
}

// hold reads all of a, once.
func (a *array) hold() error {
	t, err := a.read(a.part)
	if err != nil {
		return err
	}
	a.part, a.read, a.held = tensor.Whole(t.Shape()), t.Slice, true
	return nil
}

// pieces yields the elements of a in row-major order.
func (a *array) pieces() iter.Seq2[tensor.Tensor, error] {
	return func(yield func(tensor.Tensor, error) bool) {
		if n, err := a.shape.NumElements(); err != nil || n == 0 {
			return
		}
		limit := readBytes
		if a.held {
			limit = heldBytes
		}
		for part := range splitRegion(a.part, a.dtype.Size(), limit) {
			t, err := a.piece(part)
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

func (a *array) piece(part tensor.Slice) (tensor.Tensor, error) {
	if a.alive != nil {
		if err := a.alive(); err != nil {
			return tensor.Tensor{}, err
		}
	}
	return a.read(part)
}

// each calls f with the text of every element, for as long as what f writes
// to works.
func (a *array) each(w *bufio.Writer, all bool, f func(string)) error {
	for t, err := range a.pieces() {
		if err == nil {
			err = broken(w)
		}
		if err != nil {
			return err
		}
		for i := range t.NumElements() {
			f(elementText(t, i, all))
		}
	}
	return nil
}

// broken returns the error that w has had, if any. Then all further writes are
// in vain.
func broken(w *bufio.Writer) error {
	_, err := w.Write(nil)
	return err
}

// splitRegion yields regions of at most limit bytes that make up part, in
// row-major order. Elements of no fixed size are not split: how many bytes
// they are is known only once they are read.
func splitRegion(part tensor.Slice, elem, limit int) iter.Seq[tensor.Slice] {
	return func(yield func(tensor.Slice) bool) {
		if elem == 0 || len(part.Length) == 0 {
			yield(part)
			return
		}
		dim, step := splitAt(part.Length, int64(elem), int64(limit))
		splitDims(part, 0, dim, step, yield)
	}
}

// splitAt returns the dimension along which to cut, those before it being
// taken one by one, and how many of it fit into limit bytes.
func splitAt(length []int64, elem, limit int64) (dim int, step int64) {
	row := elem
	for dim = len(length) - 1; dim > 0; dim-- {
		if row > limit/length[dim] {
			break
		}
		row *= length[dim]
	}
	return dim, max(1, limit/row)
}

func splitDims(part tensor.Slice, i, dim int, step int64, yield func(tensor.Slice) bool) bool {
	if i < dim {
		for at := range part.Length[i] {
			if !splitDims(narrow(part, i, at, 1), i+1, dim, step, yield) {
				return false
			}
		}
		return true
	}
	for at := int64(0); at < part.Length[dim]; at += step {
		if !yield(narrow(part, dim, at, min(step, part.Length[dim]-at))) {
			return false
		}
	}
	return true
}

// narrow returns part with dimension i cut to length, from at on.
func narrow(part tensor.Slice, i int, at, length int64) tensor.Slice {
	p := tensor.Slice{Start: append([]int64(nil), part.Start...), Length: append([]int64(nil), part.Length...)}
	p.Start[i] += at
	p.Length[i] = length
	return p
}

// edges returns the array that is left of a when only n elements at both ends
// of each long dimension stay, and which dimensions those are. It reads the
// corners and nothing else.
func (a *array) edges(n int64) (*array, []bool, error) {
	kept := tensor.Whole(make(tensor.Shape, len(a.part.Length)))
	var gaps []bool
	for i, length := range a.part.Length {
		kept.Length[i] = min(length, 2*n)
	}
	shape := make(tensor.Shape, len(a.shape))
	for i, length := range a.shape {
		shape[i] = min(length, 2*n)
		gaps = append(gaps, length > 2*n)
	}
	t, err := a.corners(kept, n)
	small := &array{dtype: a.dtype, shape: shape, part: kept, read: t.Slice, held: true}
	return small, gaps, err
}

// corners gathers the elements of a that kept stands for.
func (a *array) corners(kept tensor.Slice, n int64) (tensor.Tensor, error) {
	count, err := kept.Shape().NumElements()
	if err != nil {
		return tensor.Tensor{}, err
	}
	data := make([]byte, 0)
	elems := make([]string, 0)
	if a.dtype.Size() > 0 {
		data = make([]byte, count*int64(a.dtype.Size()))
	} else {
		elems = make([]string, count)
	}
	err = eachCorner(a.part, kept, 0, n, func(from, to tensor.Slice) error {
		t, err := a.read(from)
		if err != nil {
			return err
		}
		if a.dtype.Size() > 0 {
			tensor.CopyRegion(data, kept, t.Bytes(), to, a.dtype.Size())
			return nil
		}
		texts, err := t.Strings()
		tensor.Runs(kept, to, func(dst, src, n int64) { copy(elems[dst:dst+n], texts[src:src+n]) })
		return err
	})
	switch {
	case err != nil:
		return tensor.Tensor{}, err
	case a.dtype.Size() > 0:
		return tensor.FromBytes(a.dtype, kept.Shape(), data)
	case a.dtype == tensor.Variant:
		return tensor.FromVariants(kept.Shape(), elems)
	}
	return tensor.FromStrings(kept.Shape(), elems)
}

// eachCorner calls f with each block of part that stays, and with the place
// of that block in what is kept.
func eachCorner(part, kept tensor.Slice, i int, n int64, f func(from, to tensor.Slice) error) error {
	if i == len(part.Length) {
		return f(part, kept)
	}
	length := part.Length[i]
	if length <= 2*n {
		return eachCorner(part, kept, i+1, n, f)
	}
	if err := eachCorner(narrow(part, i, 0, n), narrow(kept, i, 0, n), i+1, n, f); err != nil {
		return err
	}
	return eachCorner(narrow(part, i, length-n, n), narrow(kept, i, n, n), i+1, n, f)
}
