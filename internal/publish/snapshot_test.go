package publish

import (
	"fmt"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/arena"
	"github.com/ckpt-dev/ckpt/tensor"
)

// TestASnapshotSharesNothing with what it is of, regions of partitioned
// variables included.
func TestASnapshotSharesNothing(t *testing.T) {
	elems := []float32{1, 2}
	x, err := tensor.New(tensor.Shape{2}, elems)
	if err != nil {
		t.Fatal(err)
	}
	n := format.Named{Name: "n", Tensor: x, Slice: &tensor.Slice{Start: []int64{1}, Length: []int64{2}}, Full: tensor.Shape{4}}
	w := Writing{copies: arena.NewPool().New()}
	got, err := w.cloned(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([]float32{1, 2}, tensor.Slice{Start: []int64{1}, Length: []int64{2}}, tensor.Shape{4})
	elems[0], n.Slice.Start[0], n.Slice.Length[0], n.Full[0] = 9, 9, 9, 9
	values, err := tensor.Elements[float32](got.Tensor)
	if s := fmt.Sprint(values, *got.Slice, got.Full); s != want || err != nil {
		t.Errorf("cloned() = %s, %v, want %s", s, err, want)
	}
}
