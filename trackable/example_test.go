package trackable_test

import (
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Any Go struct can be saved and restored, as with encoding/json.
func Example() {
	type Layer struct {
		Kernel [][]float32 `ckpt:"kernel"`
		Bias   []float32   `ckpt:"bias"`
	}
	type Model struct {
		Layers []*Layer `ckpt:"layers"`
		Step   int64    `ckpt:"step"`
	}
	model := &Model{Step: 7, Layers: []*Layer{{Kernel: [][]float32{{1, 2}}, Bias: []float32{3}}}}

	root, err := trackable.Struct(model)
	if err != nil {
		log.Fatal(err)
	}
	file := newMemory() // a checkpoint.Reader, in a program
	for t, err := range trackable.Save(root, nil) {
		if err != nil {
			log.Fatal(err)
		}
		file.set(t.Name, t.Tensor)
		fmt.Println(t.Name, t.Tensor.DType(), t.Tensor.Shape())
	}

	restored := new(Model)
	root, err = trackable.Struct(restored)
	if err != nil {
		log.Fatal(err)
	}
	status, err := trackable.Restore(root, file, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(restored.Step, *restored.Layers[0], status.AssertConsumed())
	// Output:
	// step/.ATTRIBUTES/VARIABLE_VALUE int64 []
	// layers/0/kernel/.ATTRIBUTES/VARIABLE_VALUE float32 [1,2]
	// layers/0/bias/.ATTRIBUTES/VARIABLE_VALUE float32 [1]
	// _CHECKPOINTABLE_OBJECT_GRAPH string []
	// 7 {[[1 2]] [3]} <nil>
}

// What a checkpoint holds for an object that does not exist yet waits for it.
func ExampleNode_Track() {
	saved := new(trackable.Node).Track("bias", trackable.NewScalar[float32]("bias", 4))
	file := newMemory()
	for t, err := range trackable.Save(saved, nil) {
		if err != nil {
			log.Fatal(err)
		}
		file.set(t.Name, t.Tensor)
	}

	root := new(trackable.Node)
	if _, err := trackable.Restore(root, file, nil); err != nil {
		log.Fatal(err)
	}
	bias := trackable.NewScalar[float32]("bias", 0)
	root.Track("bias", bias)
	fmt.Println(bias.Value[0])
	// Output: 4
}

// A tensor that does not fit is told before anything changes.
func ExampleRestore() {
	file := newMemory()
	stored := trackable.NewVariable("w", tensor.Shape{2}, []float64{1, 2})
	for t, err := range trackable.Save(new(trackable.Node).Track("w", stored), nil) {
		if err != nil {
			log.Fatal(err)
		}
		file.set(t.Name, t.Tensor)
	}
	w := trackable.NewVariable("w", tensor.Shape{3}, []float32{0, 0, 0})
	_, err := trackable.Restore(new(trackable.Node).Track("w", w), file, nil)
	fmt.Println(err)
	// Output: (root).w: w/.ATTRIBUTES/VARIABLE_VALUE: checkpoint has float64 [2], object wants float32 [3]
}
