package tensorslice_test

import (
	"fmt"
	"log"
	"os"

	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/tensor"
)

func Example() {
	f, err := os.Open("testdata/tf/slices")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("V1:", tensorslice.IsV1(f, info.Size()))

	r, err := tensorslice.NewReader([]tensorslice.File{{Name: "slices", ReaderAt: f, Size: info.Size()}})
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
