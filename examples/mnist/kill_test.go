package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// flags make a short training with many saves.
var flags = []string{"-steps", "120", "-every", "10"}

// compile builds the program as a user would, without the race detector,
// under which the backend is too slow.
func compile(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "mnist")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// finish runs the program to its end and returns what it printed.
func finish(t *testing.T, program, dir string) string {
	t.Helper()
	out, err := exec.Command(program, append(flags, "-dir", dir)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

// start runs the program until it begins to train.
func start(t *testing.T, program, dir string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command(program, append(flags, "-dir", dir)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", bytes.TrimSpace([]byte(line)))
	return cmd, out
}

// kill sends SIGKILL some time after so many saves: within a step, between two,
// or within a save.
func kill(t *testing.T, program, dir string, saves int, after time.Duration) {
	t.Helper()
	cmd, out := start(t, program, dir)
	for saves > 0 {
		line, err := out.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // it was faster, and has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line, "saved ckpt-") {
			saves--
		}
	}
	time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // an error: it has ended
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v later it had printed %q and ended: %v", after, rest, cmd.Wait())
}

// last returns the line of the output that begins with prefix.
func last(t *testing.T, out, prefix string) string {
	t.Helper()
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no line %q in\n%s", prefix, out)
	return ""
}

// newest returns the tensors of the newest checkpoint.
func newest(t *testing.T, dir string) map[string]tensor.Tensor {
	t.Helper()
	ctx, d := context.Background(), local.Dir(dir)
	path, err := checkpoint.Latest(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	r, err := checkpoint.Load(ctx, d, path)
	if err != nil {
		t.Fatal(err)
	}
	tensors := make(map[string]tensor.Tensor)
	for _, name := range r.Names() {
		value, err := r.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors[name] = value.Clone()
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return tensors
}

func TestATrainingKilledAtRandomEndsWithTheWeightsOfOneThatWasNot(t *testing.T) {
	program, whole, killed := compile(t), t.TempDir(), t.TempDir()
	want := finish(t, program, whole)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		kill(t, program, killed, 1+random.IntN(2), time.Duration(random.Int64N(int64(200*time.Millisecond))))
	}
	got := finish(t, program, killed)

	for _, line := range []string{"weights ", "test accuracy "} {
		if g, w := last(t, got, line), last(t, want, line); g != w {
			t.Errorf("killed and resumed: %s\nwant %s", g, w)
		}
	}
	compare(t, newest(t, killed), newest(t, whole))
}

func compare(t *testing.T, got, want map[string]tensor.Tensor) {
	t.Helper()
	if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) {
		t.Fatalf("tensors = %v\nwant %v", g, w)
	}
	for name, w := range want {
		if !got[name].Equal(w) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestCtrlCSavesAndTheNextRunGoesOnThere(t *testing.T) {
	program, dir := compile(t), t.TempDir()
	cmd, out := start(t, program, dir)
	if _, err := out.ReadString('\n'); err != nil { // it trains
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if exit := (*exec.ExitError)(nil); !errors.As(cmd.Wait(), &exit) || exit.ExitCode() != 128+int(syscall.SIGINT) {
		t.Errorf("after SIGINT: %v, want exit status 130", exit)
	}
	lines := strings.Split(strings.TrimSpace(string(rest)), "\n")
	if n := len(lines); n < 2 || !strings.Contains(lines[n-2], "saved ckpt-") {
		t.Fatalf("after SIGINT it printed\n%s", rest)
	}
	var step, path string
	fields := strings.Fields(lines[len(lines)-2])
	step, path = strings.TrimSuffix(fields[1], "/120"), fields[3]

	resumed := finish(t, program, dir)
	if got, want := last(t, resumed, "resumed "), "resumed from "+path+" at step "+step+" of 120"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
	again := finish(t, program, dir)
	last(t, again, "training is complete: ")
	if got, want := last(t, again, "weights "), last(t, resumed, "weights "); got != want {
		t.Errorf("a run after the last printed %q, want %q", got, want)
	}
}

func TestTheCheckpointsOfAnotherProgramAreLeftAlone(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	w := trackable.NewScalar("w", int64(1))
	if _, err := checkpoint.New(nil, checkpoint.Objects{"w": w}, nil).Save(ctx, local.Dir(dir), "ckpt"); err != nil {
		t.Fatal(err)
	}
	err := run(ctx, settings{dir: dir, steps: 1, every: 1})
	if !errors.Is(err, trackable.ErrNotMatched) || !strings.HasPrefix(err.Error(), dir+": restore ckpt-1: ") || !strings.HasSuffix(err.Error(), "; name another directory with -dir") {
		t.Errorf("run = %v, want ErrNotMatched, naming directory and checkpoint, and what to do", err)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*.index")); err != nil || len(found) != 1 {
		t.Errorf("it leaves %q, %v, want ckpt-1.index", found, err)
	}
}
