package checkpoint

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets the collector run less often: the enumerations of power cuts make
// many small disks, keep none, and spend half of their time on collecting them.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}
