package schedule_test

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/schedule"
)

func Example() {
	every := schedule.Any(schedule.Steps(3), schedule.Lowest("loss", nil))
	var saved schedule.History // of a restarted training: made from its checkpoints
	for i, loss := range []float64{.9, .8, .95, .85, .7} {
		now := schedule.Moment{Step: int64(i + 1), Metrics: map[string]float64{"loss": loss}}
		if reason, due := every.Due(saved, now); due {
			fmt.Printf("save at step %d (%s)\n", now.Step, reason)
			saved = saved.And(now) // when the save has succeeded
		}
	}
	// Output:
	// save at step 1 (loss is 0.9, the first)
	// save at step 2 (loss improved from 0.9 to 0.8)
	// save at step 3 (step 3: each 3)
	// save at step 5 (loss improved from 0.8 to 0.7)
}
