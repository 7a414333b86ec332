package coordinator_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/ckpt-dev/ckpt/coordinator"
)

func ExampleInProcess() {
	var workers sync.WaitGroup
	for _, g := range coordinator.InProcess(2) {
		workers.Go(func() {
			steps, err := g.AllGather(context.Background(), "step", fmt.Append(nil, 40+g.Rank()))
			if err == nil && g.Rank() == 0 {
				fmt.Printf("%s\n", steps)
			}
		})
	}
	workers.Wait()
	// Output: [40 41]
}
