package storage_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// A checkpoint is published in waves: nobody finds an index whose data is not
// there, and nobody a state that names a checkpoint without an index.
func Example() {
	ctx := context.Background()
	d := storage.WithTrace(mem.Dir(), func(line string) { fmt.Println(line) })
	var pending []storage.Pending
	for _, name := range []string{"ckpt-1.data-00000-of-00001", "ckpt-1.index", "checkpoint"} {
		p, err := d.Create(ctx, name)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := fmt.Fprintf(p, "content of %s", name); err != nil {
			log.Fatal(err)
		}
		pending = append(pending, p)
	}
	if err := storage.CommitAll(ctx, d, pending[:1], pending[1:2], pending[2:]); err != nil {
		log.Fatal(err)
	}
	// Output:
	// create ckpt-1.data-00000-of-00001
	// create ckpt-1.index
	// create checkpoint
	// commit ckpt-1.data-00000-of-00001; ckpt-1.index; checkpoint
}
