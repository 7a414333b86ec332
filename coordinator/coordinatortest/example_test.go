package coordinatortest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/coordinator/coordinatortest"
)

// TestGroup is all that a backend's test file needs.
func TestGroup(t *testing.T) {
	coordinatortest.Run(t, func(_ *testing.T, n int) []coordinator.Group { return coordinator.InProcess(n) })
}

func ExampleRun() {
	// With -v the inner tests print, too.
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	stdout := os.Stdout
	os.Stdout = null
	kept := testing.RunTests(func(_, _ string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "TestGroup", F: TestGroup}})
	os.Stdout = stdout
	fmt.Println("all promises kept:", kept && null.Close() == nil)
	// Output: all promises kept: true
}
