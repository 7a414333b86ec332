package tensor

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Tensor is an immutable view of one value. Its zero value is invalid.
// Whoever made it of memory that changes later, changes it; Clone helps.
// (TensorFlow: tf.Tensor)
type Tensor struct {
	dtype DType
	shape Shape
	n     int64    // elements
	data  []byte   // of fixed-size dtypes: little-endian, row-major
	elems []string // of String and Variant
}

// New returns the tensor of the given shape that shares elems. A nil shape is
// a scalar's. The dtype follows from E.
func New[E Element](shape Shape, elems []E) (Tensor, error) {
	d := DTypeOf[E]()
	if n, err := shape.NumElements(); err == nil && n != int64(len(elems)) {
		return Tensor{}, wrongLength(d, shape, n, len(elems))
	}
	return FromBytes(d, shape, bytesOf(elems))
}

// FromBytes returns the tensor that shares data: the elements' little-endian
// bytes, row-major. String and Variant have none; see FromStrings.
func FromBytes(d DType, shape Shape, data []byte) (Tensor, error) {
	if d.Size() == 0 {
		return Tensor{}, fmt.Errorf("a tensor of %v: not made of plain bytes", d)
	}
	n, size, err := byteSize(d, shape)
	if err != nil {
		return Tensor{}, err
	}
	if size != int64(len(data)) {
		return Tensor{}, fmt.Errorf("shape %v of %v: takes %d bytes, got %d", shape, d, size, len(data))
	}
	return Tensor{dtype: d, shape: slices.Clone(shape), n: n, data: data}, nil
}

// FromStrings returns the String tensor that shares elems. Its elements are
// byte strings, in any encoding.
func FromStrings(shape Shape, elems []string) (Tensor, error) {
	return fromElems(String, shape, elems)
}

// FromVariants returns the Variant tensor of elements carried raw: each a
// serialized VariantTensorDataProto.
func FromVariants(shape Shape, raw []string) (Tensor, error) {
	return fromElems(Variant, shape, raw)
}

func fromElems(d DType, shape Shape, elems []string) (Tensor, error) {
	n, err := shape.NumElements()
	if err != nil {
		return Tensor{}, err
	}
	if n != int64(len(elems)) {
		return Tensor{}, wrongLength(d, shape, n, len(elems))
	}
	return Tensor{dtype: d, shape: slices.Clone(shape), n: n, elems: elems}, nil
}

func wrongLength(d DType, shape Shape, want int64, got int) error {
	return fmt.Errorf("shape %v of %v: has %d elements, got %d", shape, d, want, got)
}

// DType returns the type of the elements.
func (t Tensor) DType() DType { return t.dtype }

// Shape returns the dimensions; the caller must not change them.
func (t Tensor) Shape() Shape { return t.shape }

// NumElements returns how many elements t has.
func (t Tensor) NumElements() int64 { return t.n }

// NumBytes returns the bytes of t's elements: of String and Variant, the sum
// of the elements' lengths.
func (t Tensor) NumBytes() int64 {
	n := int64(len(t.data))
	for _, e := range t.elems {
		n += int64(len(e))
	}
	return n
}

// Bytes returns the elements' little-endian bytes, row-major, which the
// caller must not change; nil for String and Variant.
func (t Tensor) Bytes() []byte { return t.data }

// Strings returns the elements of a String or Variant tensor, which the
// caller must not change.
func (t Tensor) Strings() ([]string, error) {
	if t.dtype != String && t.dtype != Variant {
		return nil, wrongElement(t.dtype, reflect.TypeFor[string]())
	}
	return t.elems, nil
}

// Elements returns the elements, sharing t's memory where its alignment
// allows. E must be of t's dtype. The caller must not change them.
func Elements[E Element](t Tensor) ([]E, error) {
	if DTypeOf[E]() != t.dtype {
		return nil, wrongElement(t.dtype, reflect.TypeFor[E]())
	}
	return elementsOf[E](t.dtype, t.data), nil
}

// Clone returns a copy that shares nothing with t.
func (t Tensor) Clone() Tensor {
	t.shape = slices.Clone(t.shape)
	t.data = bytes.Clone(t.data)
	if t.elems != nil {
		elems := make([]string, len(t.elems))
		for i, e := range t.elems {
			elems[i] = strings.Clone(e)
		}
		t.elems = elems
	}
	return t
}

// Slice returns a copy of a region of t.
func (t Tensor) Slice(part Slice) (Tensor, error) {
	r, err := part.Resolve(t.shape)
	if err != nil {
		return Tensor{}, err
	}
	n, err := r.Shape().NumElements()
	if err != nil {
		return Tensor{}, err
	}
	if t.dtype.Size() == 0 {
		elems := make([]string, n)
		Runs(r, Whole(t.shape), func(d, s, n int64) { copy(elems[d:d+n], t.elems[s:s+n]) })
		return fromElems(t.dtype, r.Shape(), elems)
	}
	data := make([]byte, n*int64(t.dtype.Size()))
	CopyRegion(data, r, t.data, Whole(t.shape), t.dtype.Size())
	return FromBytes(t.dtype, r.Shape(), data)
}

// Equal reports whether t and u have the same dtype, shape and bits; so a NaN
// equals itself and 0 differs from -0.
func (t Tensor) Equal(u Tensor) bool {
	return t.dtype == u.dtype && t.shape.Equal(u.shape) &&
		bytes.Equal(t.data, u.data) && slices.Equal(t.elems, u.elems)
}
