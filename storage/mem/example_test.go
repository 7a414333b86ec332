package mem_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func Example() {
	ctx := context.Background()
	d := mem.Dir()
	if err := storage.WriteFile(ctx, d, "checkpoint", []byte("model_checkpoint_path: \"ckpt-1\"\n")); err != nil {
		log.Fatal(err)
	}
	for info, err := range d.List(ctx, "") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.Name, info.Size)
	}
	// Output: checkpoint 32
}
