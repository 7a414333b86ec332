package tensorbundle_test

import (
	"bytes"
	"fmt"
	"io"
	"log"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/tensor"
)

func Example() {
	kernel, err := tensor.New(tensor.Shape{2, 2}, []float32{1, 2, 3, 4})
	if err != nil {
		log.Fatal(err)
	}

	// One data file and the index, here in memory.
	var data, index bytes.Buffer
	w := tensorbundle.NewWriter(&data, 0)
	if err := w.Add(format.Named{Name: "kernel", Tensor: kernel}); err != nil {
		log.Fatal(err)
	}
	if err := tensorbundle.WriteIndex(&index, []tensorbundle.Shard{w.Shard()}); err != nil {
		log.Fatal(err)
	}

	open := func(shard, shards int) (io.ReaderAt, int64, error) {
		fmt.Println("open", tensorbundle.DataName("ckpt-1", shard, shards))
		return bytes.NewReader(data.Bytes()), int64(data.Len()), nil
	}
	r, err := tensorbundle.NewReader(bytes.NewReader(index.Bytes()), int64(index.Len()), open)
	if err != nil {
		log.Fatal(err)
	}
	row, err := r.Slice("kernel", tensor.Slice{Start: []int64{1, 0}, Length: []int64{1, -1}})
	if err != nil {
		log.Fatal(err)
	}
	elems, err := tensor.Elements[float32](row)
	fmt.Println(r.Names(), elems, err)
	// Output:
	// open ckpt-1.data-00000-of-00001
	// [kernel] [3 4] <nil>
}
