package tensor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Slice is a rectangular region of a tensor: for each dimension where it
// starts and how long it is. A Length of -1 means the whole dimension.
// (TensorFlow: TensorSlice)
type Slice struct{ Start, Length []int64 }

// ParseSlice reads TensorFlow's notation: one item per dimension, joined by
// ":", each "-" for the whole dimension or "start,length"
// (core/framework/tensor_slice.cc). "" is the region of a scalar.
func ParseSlice(spec string) (Slice, error) {
	var s Slice
	if spec == "" {
		return s, nil
	}
	for item := range strings.SplitSeq(spec, ":") {
		start, length, err := parseExtent(item)
		if err != nil {
			return Slice{}, fmt.Errorf("slice %q: %w", spec, err)
		}
		s.Start = append(s.Start, start)
		s.Length = append(s.Length, length)
	}
	return s, nil
}

func parseExtent(item string) (start, length int64, err error) {
	if item == "-" {
		return 0, -1, nil
	}
	from, count, ok := strings.Cut(item, ",")
	if ok {
		start, err = strconv.ParseInt(from, 10, 64)
	}
	if ok && err == nil {
		length, err = strconv.ParseInt(count, 10, 64)
	}
	if !ok || err != nil || start < 0 || length <= 0 {
		return 0, 0, fmt.Errorf("dimension %q: want \"-\" or \"start,length\"", item)
	}
	return start, length, nil
}

// Whole returns the region that is all of a tensor of the given shape.
func Whole(full Shape) Slice {
	return Slice{Start: make([]int64, len(full)), Length: slices.Clone([]int64(full))}
}

// Resolve returns s with each Length a number, or an error if s has another
// number of dimensions than full or reaches outside it.
func (s Slice) Resolve(full Shape) (Slice, error) {
	if len(s.Start) != len(full) || len(s.Length) != len(full) {
		return Slice{}, fmt.Errorf("slice %v: has %d dimensions, the tensor %v has %d", s, len(s.Start), full, len(full))
	}
	r := Slice{slices.Clone(s.Start), slices.Clone(s.Length)}
	for i, dim := range full {
		if r.Length[i] == -1 && r.Start[i] == 0 {
			r.Length[i] = dim
		}
		if r.Start[i] < 0 || r.Length[i] < 0 || r.Start[i] > dim || r.Length[i] > dim-r.Start[i] {
			return Slice{}, fmt.Errorf("slice %v: outside of dimension %d of %v", s, i, full)
		}
	}
	return r, nil
}

// Shape returns the lengths of a resolved region: the shape of its value.
func (s Slice) Shape() Shape { return slices.Clone(Shape(s.Length)) }

// Equal reports whether s and t are written the same.
func (s Slice) Equal(t Slice) bool {
	return slices.Equal(s.Start, t.Start) && slices.Equal(s.Length, t.Length)
}

// Intersect returns the region that two resolved regions of one tensor share;
// false if they share no element. Two scalars' regions share the one element.
func (s Slice) Intersect(t Slice) (Slice, bool) {
	if len(s.Start) != len(t.Start) {
		return Slice{}, false
	}
	both := Slice{make([]int64, len(s.Start)), make([]int64, len(s.Start))}
	for i := range s.Start {
		from := max(s.Start[i], t.Start[i])
		to := min(s.Start[i]+s.Length[i], t.Start[i]+t.Length[i])
		if from >= to {
			return Slice{}, false
		}
		both.Start[i], both.Length[i] = from, to-from
	}
	return both, true
}

// String returns TensorFlow's notation, as ParseSlice reads it.
func (s Slice) String() string {
	items := make([]string, len(s.Start))
	for i := range s.Start {
		items[i] = "-"
		if s.Length[i] != -1 {
			items[i] = fmt.Sprintf("%d,%d", s.Start[i], s.Length[i])
		}
	}
	return strings.Join(items, ":")
}
