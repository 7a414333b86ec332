package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the scripts run this program, as ckpt and as what prepares
// files for it, in processes of their own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ckpt":     main,
		"mkckpt":   mkckpt,   // saves checkpoints with a manager
		"mkbundle": mkbundle, // writes one bundle of odd tensors
		"damage":   damage,   // changes bytes of a file
	})
}

// The first word of a script's name is the command it is about. $V2 and $V1
// are files by TensorFlow itself.
func TestCommand(t *testing.T) {
	golden, err := filepath.Abs("../../format")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:  "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			env.Setenv("V2", filepath.Join(golden, "tensorbundle", "testdata", "tf"))
			env.Setenv("V1", filepath.Join(golden, "tensorslice", "testdata", "tf"))
			env.Setenv("TZ", "UTC")
			return nil
		},
	})
}

// exits CODE COMMAND… is exec for commands of which the exit code matters.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%q exits with %d, want %d", args[1:], got, want)
	}
}
