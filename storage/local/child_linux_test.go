package local_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Some things can only be seen from another process, or would spoil this one.
// The test binary runs itself again: children are its other main functions.
var children = map[string]func(dir string) error{
	"hold lock":            holdLock,
	"hold lock with child": holdLockWithChild,
	"wait for input":       waitForInput,
	"try lock":             tryLock,
	"file size limit":      fileSizeLimit,
	"small disk":           smallDisk,
}

const childEnv = "CKPT_LOCAL_TEST_CHILD"

func TestMain(m *testing.M) {
	what := os.Getenv(childEnv)
	if what == "" {
		os.Exit(m.Run())
	}
	if err := children[what](os.Args[1]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, dir)
	cmd.Env = append(os.Environ(), childEnv+"="+what, "GORACE=atexit_sleep_ms=0") // a second saved per child
	cmd.Stdout, cmd.Stderr = new(bytes.Buffer), os.Stderr
	return cmd
}
