package coordinatortest_test

import (
	"fmt"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/coordinator/coordinatortest"
)

// A backend's test hands Run a function that opens a new group.
func ExampleRun() {
	ok := testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "TestGroup",
		F: func(t *testing.T) {
			coordinatortest.Run(t, func(_ *testing.T, n int) []coordinator.Group { return coordinator.InProcess(n) })
		},
	}})
	fmt.Println("promises kept:", ok)
	// Output: promises kept: true
}
