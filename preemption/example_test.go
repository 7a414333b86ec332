package preemption_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/preemption"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

func ExampleCheckpointHandler() {
	ctx, dir := context.Background(), mem.Dir()
	train := func(until int64) error {
		sum := trackable.NewScalar("sum", int64(0))
		c := checkpoint.New(nil, checkpoint.Objects{"sum": sum}, nil)
		handler, err := preemption.ForCheckpoint(ctx, c, dir, &preemption.TerminationConfig{
			Exit: func() { fmt.Println("exits, to be started again") },
		})
		if err != nil {
			return err
		}
		fmt.Println("begins after", handler.TotalRunCalls(), "runs with", sum.Value[0])
		for handler.TotalRunCalls() < until {
			if handler.TotalRunCalls() == 3 {
				handler.Notify() // as SIGTERM would
			}
			err := handler.Run(ctx, func(context.Context) error { sum.Value[0] += 10; return nil })
			if err != nil {
				return errors.Join(err, handler.Close(ctx))
			}
		}
		return handler.Close(ctx)
	}
	fmt.Println(train(6))
	fmt.Println(train(6))
	// Output:
	// begins after 0 runs with 0
	// exits, to be started again
	// preempted after 4 runs: full save, ckpt-1
	// begins after 4 runs with 40
	// <nil>
}
