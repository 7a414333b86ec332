package gomlx_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/adapters/gomlx"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A store is saved, and restored into another one before that has variables.
func Example() {
	ctx, dir := context.Background(), mem.Dir()
	manage := func(store *model.Store) *checkpoint.Manager {
		c := checkpoint.New(nil, checkpoint.Objects{"model": gomlx.New(store, nil)}, nil)
		m, err := checkpoint.NewManager(ctx, c, dir, &checkpoint.ManagerOptions{MaxToKeep: 3})
		if err != nil {
			log.Fatal(err)
		}
		return m
	}

	trained := model.NewStore()
	if _, err := trained.CreateVariable("/dense/weights", tensors.FromValue([]float32{1, 2, 3})); err != nil {
		log.Fatal(err)
	}
	m := manage(trained)
	path, err := m.Save(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("saved", path)
	if err := m.Close(ctx); err != nil {
		log.Fatal(err)
	}

	// The next process.
	store := model.NewStore()
	m = manage(store)
	path, err = m.RestoreOrInitialize(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("restored", path)
	weights, err := store.CreateVariable("/dense/weights", tensors.FromValue([]float32{0, 0, 0}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(weights.MustValue().Value())
	if err := m.Close(ctx); err != nil {
		log.Fatal(err)
	}

	// Output:
	// saved ckpt-1
	// restored ckpt-1
	// [1 2 3]
}
