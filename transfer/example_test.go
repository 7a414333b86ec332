package transfer_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/ckpt-dev/ckpt/transfer"
)

type layer struct{ Kernel []float32 }

// pretrain saves a model of two layers, as another program would.
func pretrain(ctx context.Context, dir storage.Dir) error {
	object, err := trackable.Struct(&struct{ Encoder, Head layer }{layer{[]float32{1, 2}}, layer{[]float32{3}}})
	if err != nil {
		return err
	}
	return checkpoint.New(object, nil, nil).Write(ctx, dir, "pretrained")
}

// The encoder of a pretrained model starts a new one.
func Example() {
	ctx, dir := context.Background(), mem.Dir()
	if err := pretrain(ctx, dir); err != nil {
		log.Fatal(err)
	}
	src, err := checkpoint.Load(ctx, dir, "pretrained")
	if err != nil {
		log.Fatal(err)
	}
	model := struct{ Encoder, Classifier layer }{layer{make([]float32, 2)}, layer{make([]float32, 5)}}
	root, err := trackable.Struct(&model)
	if err != nil {
		log.Fatal(err)
	}
	report, err := transfer.InitFromCheckpoint(root, src, transfer.AssignmentMap{
		{From: "Encoder/", To: "Encoder/"},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Encoder.Kernel, "and untouched", report.Untouched)
	if err := src.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// [1 2] and untouched [Classifier/Kernel]
}

// The same, if what is restored is an object of its own.
func ExampleSubtree() {
	ctx, dir := context.Background(), mem.Dir()
	if err := pretrain(ctx, dir); err != nil {
		log.Fatal(err)
	}
	src, err := checkpoint.Load(ctx, dir, "pretrained")
	if err != nil {
		log.Fatal(err)
	}
	encoder := layer{make([]float32, 2)}
	root, err := trackable.Struct(&encoder)
	if err != nil {
		log.Fatal(err)
	}
	part, err := transfer.Subtree(src, "Encoder")
	if err != nil {
		log.Fatal(err)
	}
	status, err := trackable.Restore(root, part, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(encoder.Kernel, status.AssertConsumed())
	if err := src.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// [1 2] <nil>
}
