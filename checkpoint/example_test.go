package checkpoint_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// train stands for a training program: it resumes, trains ten steps more and
// saves every second one.
func train(ctx context.Context, dir storage.Dir) error {
	model := &struct {
		Step    int64
		Weights []float32
	}{Weights: make([]float32, 1000)}
	object, err := trackable.Struct(model)
	if err != nil {
		return err
	}
	c := checkpoint.New(nil, checkpoint.Objects{"model": object}, nil)
	m, err := checkpoint.NewManager(ctx, c, dir, &checkpoint.ManagerOptions{MaxToKeep: 3})
	if err != nil {
		return err
	}
	path, err := m.RestoreOrInitialize(ctx) // "" on a fresh start
	if err != nil {
		return err
	}
	fmt.Printf("start at step %d from %q\n", model.Step, path)
	for end := model.Step + 10; model.Step < end; {
		model.Step++
		if model.Step%2 == 0 {
			if _, err := m.Save(ctx, nil); err != nil { // returned means durable
				return err
			}
		}
	}
	fmt.Println("kept:", m.Checkpoints())
	return m.Close(ctx)
}

func Example() {
	ctx, dir := context.Background(), mem.Dir() // or local.Dir("run-1")
	for range 2 {
		if err := train(ctx, dir); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// start at step 0 from ""
	// kept: [ckpt-3 ckpt-4 ckpt-5]
	// start at step 10 from "ckpt-5"
	// kept: [ckpt-8 ckpt-9 ckpt-10]
}

func ExampleLoad() {
	ctx, dir := context.Background(), mem.Dir()
	v := trackable.NewVariable("", []int64{3}, []float32{1, 2, 3})
	if err := checkpoint.New(nil, checkpoint.Objects{"v": v}, nil).Write(ctx, dir, "model"); err != nil {
		log.Fatal(err)
	}
	r, err := checkpoint.Load(ctx, dir, "model")
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range r.Names() {
		info, err := r.Info(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, info.DType, info.Shape)
	}
	if err := r.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// v/.ATTRIBUTES/VARIABLE_VALUE float32 [3]
	// _CHECKPOINTABLE_OBJECT_GRAPH string []
}

func ExampleLatestValid() {
	ctx, dir := context.Background(), mem.Dir()
	m, err := checkpoint.NewManager(ctx, checkpoint.New(trackable.NewScalar("v", 1.0), nil, nil), dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		if _, err := m.Save(ctx, nil); err != nil {
			log.Fatal(err)
		}
	}
	if err := dir.Remove(ctx, "ckpt-2.data-00000-of-00001"); err != nil {
		log.Fatal(err)
	}
	path, passed, err := checkpoint.LatestValid(ctx, dir, nil)
	fmt.Println(path, err)
	for _, p := range passed {
		fmt.Printf("%s: %v\n", p.Path, p.Err)
	}
	// Output:
	// ckpt-1 <nil>
	// ckpt-2: open ckpt-2.data-00000-of-00001: file does not exist
}

// An evaluator beside a training: each checkpoint once, the oldest first, and
// none is removed while it is read.
func ExampleIterator() {
	ctx, dir := context.Background(), mem.Dir()
	m, err := checkpoint.NewManager(ctx, checkpoint.New(trackable.NewScalar("v", 1.0), nil, nil), dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		if _, err := m.Save(ctx, nil); err != nil {
			log.Fatal(err)
		}
	}
	for path, err := range checkpoint.Iterator(ctx, dir, &checkpoint.IteratorOptions{
		Every: true, Lease: new(checkpoint.LeaseOptions), Timeout: time.Millisecond, // hours, in earnest
	}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("evaluate", path)
	}
	// Output:
	// evaluate ckpt-1
	// evaluate ckpt-2
	// evaluate ckpt-3
}

// Save returns when the values are copied; they may change while it is written.
func ExampleAsync() {
	ctx, weights := context.Background(), trackable.NewVariable("w", []int64{2}, []float32{1, 2})
	c := checkpoint.New(nil, checkpoint.Objects{"w": weights}, nil)
	m, err := checkpoint.NewManager(ctx, c, mem.Dir(), &checkpoint.ManagerOptions{
		Async: &checkpoint.Async{Queue: 1, WhenFull: checkpoint.Replace},
		Hooks: &checkpoint.Hooks{AfterCommit: func(_ context.Context, e checkpoint.Event) {
			fmt.Println("written:", e.Path)
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	path, err := m.Save(ctx, nil)
	if err != nil {
		log.Fatal(err) // also of an earlier save
	}
	weights.Value[0] = 99
	if err := m.Sync(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := c.Restore(ctx, m.Directory(), path); err != nil {
		log.Fatal(err)
	}
	fmt.Println(path, weights.Value)
	if err := m.Close(ctx); err != nil { // nothing is lost at the end
		log.Fatal(err)
	}
	// Output:
	// written: ckpt-1
	// ckpt-1 [1 2]
}
