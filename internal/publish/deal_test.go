package publish

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/tensor"
)

func TestReplicatedTensorsAreSharedOut(t *testing.T) {
	var list []sharding.Tensor
	for i, bytes := range []int64{8, 100, 40, 60, 8} {
		list = append(list, sharding.Tensor{Name: fmt.Sprint("v", i), DType: tensor.Float32, Shape: tensor.Shape{bytes / 4}, Bytes: bytes, Element: 4})
	}
	list = append(list, sharding.Tensor{Name: "state", DType: tensor.String, Bytes: 50, Element: 50})
	dealt, err := deal([][]sharding.Tensor{list, list})
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for _, d := range dealt {
		got = append(got, d.Worker)
	}
	if want := []int{1, 0, 1, 1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("worker by tensor is %v, want %v: worker 0 has the states", got, want)
	}
}
