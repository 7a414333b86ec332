package tensor_test

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/tensor"
)

func Example() {
	weights := []float32{1, 2, 3, 4, 5, 6}
	t, err := tensor.New(tensor.Shape{2, 3}, weights) // shares weights
	if err != nil {
		fmt.Println(err)
		return
	}
	column, err := t.Slice(tensor.Slice{Start: []int64{0, 1}, Length: []int64{2, 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	elems, err := tensor.Elements[float32](column)
	fmt.Println(t.DType(), t.Shape(), elems, err)
	// Output: float32 [2,3] [2 5] <nil>
}
