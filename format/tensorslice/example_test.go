package tensorslice_test

import (
	"bytes"
	"fmt"
	"log"
	"os"

	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/tensor"
)

func Example() {
	data, err := os.ReadFile("testdata/tf/slices")
	if err != nil {
		log.Fatal(err)
	}
	file := tensorslice.File{Name: "slices", ReaderAt: bytes.NewReader(data), Size: int64(len(data))}
	fmt.Println("V1:", tensorslice.IsV1(file, file.Size))

	r, err := tensorslice.NewReader([]tensorslice.File{file})
	if err != nil {
		log.Fatal(err)
	}
	row, err := r.Slice("emb", tensor.Slice{Start: []int64{5, 0}, Length: []int64{1, -1}})
	if err != nil {
		log.Fatal(err)
	}
	elems, err := tensor.Elements[float32](row)
	fmt.Println(r.Names(), elems, err)
	// Output:
	// V1: true
	// [cube emb plain] [20 21 22 23] <nil>
}
