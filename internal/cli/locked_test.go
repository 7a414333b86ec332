package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

// TestCommandsNameWhoIsAtWork: the test runs itself as a training that has the
// directory.
//
// Proves D26.
func TestCommandsNameWhoIsAtWork(t *testing.T) {
	const env = "CKPT_CLI_TEST_TRAIN"
	if root := os.Getenv(env); root != "" {
		train(t, root)
		return
	}
	root := t.TempDir()
	training := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCommandsNameWhoIsAtWork$")
	training.Env = append(os.Environ(), env+"="+root)
	in, err := training.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := training.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := training.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "saved\n" {
		t.Fatalf("the training says %q (%v), want saved", line, err)
	}
	exit, _, says := run(t.Context(), "prune", root, "--keep-latest", "1", "--yes")
	want := fmt.Sprintf("(process %d (cli.test) on ", training.Process.Pid)
	if exit == 0 || !strings.Contains(says, "locked by another process "+want) || !strings.Contains(says, ", since ") {
		t.Errorf("prune = %d, %q, want an error that names the training %s", exit, says, want)
	}
	if err := training.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := training.Process.Wait(); err != nil {
		t.Fatal(err)
	}
	if exit, _, says := run(t.Context(), "prune", root, "--keep-latest", "1", "--yes"); exit != 0 {
		t.Errorf("prune when the training is dead = %d, %q", exit, says)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// train saves twice and keeps the directory until its input ends.
func train(t *testing.T, root string) {
	v := trackable.NewVariable("v", []int64{1}, []float32{1})
	m, err := checkpoint.NewManager(t.Context(), checkpoint.New(nil, checkpoint.Objects{"v": v}, nil), local.Dir(root), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := m.Save(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("saved")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
