package retention_test

import (
	"fmt"
	"time"

	"github.com/ckpt-dev/ckpt/retention"
)

func Example() {
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var list []retention.Checkpoint
	for i := range 5 {
		list = append(list, retention.Checkpoint{
			Path: fmt.Sprintf("ckpt-%d", i+1),
			Time: start.Add(time.Duration(i) * 40 * time.Minute),
		})
	}
	policy := retention.Any(retention.Latest(2), retention.Every(time.Hour, start))
	for i, v := range policy.Judge(list) {
		fmt.Println(list[i].Path, v.Fate, "-", v.Reason)
	}
	// Output:
	// ckpt-1 remove - older than the latest 2; not yet 1h after the last kept one
	// ckpt-2 remove - older than the latest 2; not yet 1h after the last kept one
	// ckpt-3 preserve - kept every 1h: 1h20m after the last kept one
	// ckpt-4 keep - latest 2 of 2
	// ckpt-5 keep - latest 1 of 2
}
