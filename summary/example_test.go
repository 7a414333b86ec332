package summary_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/summary"
)

func Example() {
	ctx, dir := context.Background(), mem.Dir() // or local.Dir("run-1")
	w, err := summary.CreateFileWriter(ctx, dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	for step, loss := range []float64{1, 0.5, 0.25} {
		if err := w.Scalar("loss", int64(step), loss); err != nil {
			log.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	for info, err := range dir.List(ctx, "events.out.tfevents.") {
		if err != nil {
			log.Fatal(err)
		}
		printFile(ctx, dir, info.Name)
	}
	// Output:
	// 0 loss 1
	// 1 loss 0.5
	// 2 loss 0.25
}

func printFile(ctx context.Context, dir storage.Dir, name string) {
	f, err := dir.Open(ctx, name)
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range tfevents.Read(reader(f)) {
		if err != nil {
			log.Fatal(err)
		}
		for _, v := range e.Values {
			value, _ := v.Scalar()
			fmt.Println(e.Step, v.Tag, value)
		}
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}
