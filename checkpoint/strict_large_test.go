package checkpoint

import (
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// largeVariable makes a data file large enough for the way past the cache. All
// that is lost of it shows: its elements differ, and are not 0.
func largeVariable() *variableF {
	values := make([]float32, 300<<10/4)
	for i := range values {
		values[i] = float32(i + 1)
	}
	return variable(values...)
}

// TestPowerCutsInLargeSaves cuts the power where data is written past the
// system's cache, also by a call that waits for the writing.
//
// Proves D1, D2, D3, D4.
func TestPowerCutsInLargeSaves(t *testing.T) {
	for _, s := range strictScenarios {
		switch s.name {
		case "a number is used again", "asynchronous saves":
		default:
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newPower(t, vfstest.NewStrict(nil))
			p.large, p.ckpt.SnapshotMemory = true, 100<<10
			s.run(p)
			p.cutAll(torture.Times(4, 500), 1, 0)
			torture.Count(t, "crash states", p.tried)
		})
	}
}
