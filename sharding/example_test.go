package sharding_test

import (
	"fmt"
	"strings"

	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Optimizers' slots in a data file of their own: who serves the model need not
// fetch it.
func ExampleFunc() {
	apart := sharding.Func("slots apart", func(tensors []sharding.Tensor) ([]sharding.Shard, error) {
		shards := make([]sharding.Shard, 2)
		for _, t := range tensors {
			i := 0
			if strings.Contains(t.Name, "/.OPTIMIZER_SLOT/") {
				i = 1
			}
			shards[i] = append(shards[i], t)
		}
		return shards, nil
	})
	layout, err := sharding.Split(apart, []sharding.Tensor{
		{Name: "w/.ATTRIBUTES/VARIABLE_VALUE", DType: tensor.Float32},
		{Name: "w/.OPTIMIZER_SLOT/adam/m/.ATTRIBUTES/VARIABLE_VALUE", DType: tensor.Float32},
		{Name: "b/.ATTRIBUTES/VARIABLE_VALUE", DType: tensor.Float32},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i, shard := range layout.Shards {
		fmt.Println("data file", i, "has", len(shard), "tensors")
	}
	// Output:
	// data file 0 has 2 tensors
	// data file 1 has 1 tensors
}
