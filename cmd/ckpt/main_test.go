package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	_ "github.com/ckpt-dev/ckpt/internal/golden" // the flag -update
	"github.com/ckpt-dev/ckpt/internal/torture"
)

// programs are what this test is when it is called by such a name.
var programs = map[string]func(){
	"ckpt":     main,
	"mkrun":    mkrun,    // makes a run of an experiment
	"mkckpt":   mkckpt,   // saves checkpoints with a manager
	"mkbundle": mkbundle, // writes one bundle of odd tensors
	"mkhuge":   mkhuge,   // writes an index that claims 2^60 bytes
	"damage":   damage,   // changes bytes of a file
}

// TestMain lets the scripts run this program, as ckpt and as what prepares
// files for it, in processes of their own.
func TestMain(m *testing.M) { testscript.Main(m, programs) }

// The first word of a script's name is the command it is about. $V2 and $V1
// are files by TensorFlow itself.
func TestCommand(t *testing.T) {
	golden, err := filepath.Abs("../../format")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:         scripts(t),
		UpdateScripts: flag.Lookup("update").Value.String() == "true",
		Condition:     condition,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			env.Setenv("V2", filepath.Join(golden, "tensorbundle", "testdata", "tf"))
			env.Setenv("V1", filepath.Join(golden, "tensorslice", "testdata", "tf"))
			env.Setenv("TZ", "UTC")
			return nil
		},
	})
}

// scripts returns the scripts, of which the race detector gets some: each
// command is a process, in which there is hardly anything to find.
func scripts(t *testing.T) (some []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(all); i += torture.Thin(4) {
		some = append(some, all[i])
	}
	return some
}

// condition knows [root], for whom no permission is denied.
func condition(name string) (bool, error) {
	if name != "root" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	return os.Geteuid() == 0, nil
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
