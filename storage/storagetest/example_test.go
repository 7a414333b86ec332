package storagetest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/storage/storagetest"
)

// TestDir is all that a backend's test file needs.
func TestDir(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Dir { return mem.Dir() })
}

func ExampleRun() {
	kept := quietly(func() bool {
		return testing.RunTests(
			func(_, _ string) (bool, error) { return true, nil },
			[]testing.InternalTest{{Name: "TestDir", F: TestDir}})
	})
	fmt.Println("all promises kept:", kept)
	// Output: all promises kept: true
}

// quietly runs do without what it prints: go test -v reports inner tests too.
func quietly(do func() bool) bool {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	stdout := os.Stdout
	os.Stdout = null
	ok := do()
	os.Stdout = stdout
	return null.Close() == nil && ok
}
