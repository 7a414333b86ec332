package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func Example() {
	ctx := context.Background()
	tmp, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	d := local.Dir(filepath.Join(tmp, "checkpoints")) // writing will make it

	_, err = storage.ReadFile(ctx, d, "checkpoint")
	fmt.Println("missing:", errors.Is(err, fs.ErrNotExist))

	if err := storage.WriteFile(ctx, d, "checkpoint", []byte("ckpt-1")); err != nil {
		log.Fatal(err)
	}
	data, err := storage.ReadFile(ctx, d, "checkpoint")
	fmt.Printf("%s %v\n", data, err)

	if err := os.RemoveAll(tmp); err != nil {
		log.Fatal(err)
	}
	// Output:
	// missing: true
	// ckpt-1 <nil>
}
