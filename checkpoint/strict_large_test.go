package checkpoint

import (
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// largeVariable makes a data file large enough for the way past the cache. All
// that is lost of it shows: its elements differ, and are not 0.
func largeVariable(bytes int) *variableF {
	values := make([]float32, bytes/4)
	for i := range values {
		values[i] = float32(i + 1)
	}
	return variable(values...)
}

// TestPowerCutsInLargeSaves cuts the power where data is written past the
// system's cache: what the writing has copied, also in a call that waits for it, and
// what goes to the disk from the memory of a snapshot.
//
// Proves D1, D2, D3, D4.
func TestPowerCutsInLargeSaves(t *testing.T) {
	for _, c := range []struct {
		name, scenario string
		large          int
		memory         int64
	}{
		{"a number is used again", "a number is used again", 300 << 10, 0},
		{"a call waits", "asynchronous saves", 300 << 10, 100 << 10},
		{"a snapshot", "asynchronous saves", 600 << 10, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(nil))
			p.large, p.ckpt.SnapshotMemory = c.large, c.memory
			for _, s := range strictScenarios {
				if s.name == c.scenario {
					s.run(p)
				}
			}
			p.cutAll(torture.Times(4, 500), 1, 0)
			torture.Count(t, "crash states", p.tried)
		})
	}
}
