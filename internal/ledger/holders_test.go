package ledger

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/retention"
)

// TestReleasedIsWhatTheOthersDoNotHave in whatever order they go.
func TestReleasedIsWhatTheOthersDoNotHave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []retention.Checkpoint
		for i := range rapid.IntRange(0, 8).Draw(t, "checkpoints") {
			c := retention.Checkpoint{Path: fmt.Sprint("ckpt-", i), Size: rapid.Int64Range(0, 9).Draw(t, "own")}
			for _, n := range rapid.SliceOfNDistinct(rapid.Int64Range(1, 5), 0, 4, rapid.ID[int64]).Draw(t, "files") {
				c.Size += n
				c.Shared = append(c.Shared, retention.SharedFile{File: fmt.Sprint(n), Size: n})
			}
			all = append(all, c)
		}
		h, left := HoldersOf(all), rapid.Permutation(all).Draw(t, "order")
		for len(left) > 0 {
			before := retention.TotalSize(left)
			freed := h.Release(left[0])
			left = left[1:]
			if want := before - retention.TotalSize(left); freed != want {
				t.Fatalf("Release = %d with %d others left, want %d", freed, len(left), want)
			}
		}
	})
}
