package tensorslice

import (
	"fmt"
	"io"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/orderedcode"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Layout prints what stands where: for each file the blocks of its table and
// their entries. Names are printed quoted, so that none can play tricks on a
// terminal.
func (r *Reader) Layout(w io.Writer) error {
	for _, t := range r.tables {
		if err := t.Layout(w, describe); err != nil {
			return err
		}
	}
	return nil
}

// describe tells what an entry of the table says.
func describe(key, value []byte) string {
	var s tfproto.SavedTensorSlices
	if err := s.Unmarshal(value); err != nil {
		return err.Error()
	}
	switch {
	case s.Meta != nil:
		return describeMeta(s.Meta)
	case s.Data == nil:
		return "no value"
	}
	name, start, length, err := orderedcode.ParseSliceKey(string(key))
	if err != nil {
		return fmt.Sprintf("key: %v", err)
	}
	return fmt.Sprintf("slice %s of %q, %d bytes", spec(start, length), name, len(value))
}

// spec is a slice's notation, which for a scalar's only slice is empty.
func spec(start, length []int64) string {
	if len(start) == 0 {
		return "all"
	}
	return tensor.Slice{Start: start, Length: length}.String()
}

func describeMeta(m *tfproto.SavedTensorSliceMeta) string {
	var b strings.Builder
	fmt.Fprintf(&b, "meta, %d tensors", len(m.Tensors))
	if v := m.Versions; v != nil {
		fmt.Fprintf(&b, ", producer %d, min consumer %d", v.Producer, v.MinConsumer)
	}
	for _, t := range m.Tensors {
		fmt.Fprintf(&b, "\n    %q: %v %v, slices", t.Name, tensor.DType(t.Type), tensor.Shape(t.Shape.Dims))
		for _, s := range t.Slices {
			fmt.Fprintf(&b, " %s", spec(s.Start, s.Length))
		}
	}
	return b.String()
}
