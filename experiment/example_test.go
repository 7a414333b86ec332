package experiment_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/experiment"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// train stands for a training: it goes on with the run if it has checkpoints,
// and else from another.
func train(ctx context.Context, run, from *experiment.Run, loss float64) {
	c := checkpoint.New(nil, checkpoint.Objects{"w": trackable.NewScalar("w", int64(0))}, nil)
	m, err := checkpoint.NewManager(ctx, c, run.Dir(), run.ManagerOptions(nil))
	check(err)
	path, err := m.RestoreOrInitialize(ctx)
	check(err)
	if path == "" && from != nil {
		_, err := run.RestoreFrom(ctx, m, from, "")
		check(err)
	}
	_, err = m.Save(ctx, &checkpoint.SaveOptions{Metrics: map[string]float64{"loss": loss}})
	check(err)
	check(m.Close(ctx))
	check(run.Finish(ctx, nil))
}

func Example() {
	ctx := context.Background()
	e := experiment.Open(mem.Dir()) // or local.Dir("runs")
	base, err := e.Begin(ctx, "base", &experiment.RunOptions{Params: map[string]any{"lr": 0.1}})
	check(err)
	train(ctx, base, nil, 0.5)
	tuned, err := e.Begin(ctx, "tuned", &experiment.RunOptions{Params: map[string]any{"lr": 0.01}})
	check(err)
	train(ctx, tuned, base, 0.25)

	list, err := e.Runs(ctx, nil)
	check(err)
	for _, run := range list {
		fmt.Println(run.Name, run.Record.Status, run.Record.Params, run.Newest.Path, run.Newest.Receipt.Metrics, run.Record.From)
	}
	// Output:
	// base finished map[lr:0.1] ckpt-1 map[loss:0.5] <nil>
	// tuned finished map[lr:0.01] ckpt-2 map[loss:0.25] base/ckpt-1
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
