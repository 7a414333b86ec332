package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/torture"
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
func finish(t *testing.T, program, dir string, flags ...string) string {
	t.Helper()
	out, err := exec.Command(program, append(flags, "-dir", dir)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

// start runs the program.
func start(t *testing.T, program, dir string, flags ...string) (*exec.Cmd, *bufio.Reader) {
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
	return cmd, bufio.NewReader(pipe)
}

// moment is when a training dies: some time after it has begun, or after it
// has printed a number of lines: within its opening, a step, or a save.
type moment struct {
	lines int
	after time.Duration
}

// kill sends SIGKILL at the moment, and returns what the program had printed.
// To have ended before is an error.
func kill(t *testing.T, program, dir string, when moment, flags ...string) []string {
	t.Helper()
	cmd, out := start(t, program, dir, flags...)
	strike := func() { time.AfterFunc(when.after, func() { _ = cmd.Process.Kill() }) } // an error: it has ended, which shows
	if when.lines == 0 {
		strike()
	}
	var printed []string
	for {
		line, err := out.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if printed = append(printed, strings.TrimSpace(line)); len(printed) == when.lines {
			strike()
		}
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatalf("it ended by itself: %v; it had printed %q", err, printed)
	}
	return printed
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

// TestATrainingKilledAtRandomEndsWithTheWeightsOfOneThatWasNot, to the bit,
// however often it was killed.
//
// Proves D3, D9.
func TestATrainingKilledAtRandomEndsWithTheWeightsOfOneThatWasNot(t *testing.T) {
	program, whole, killed := compile(t), t.TempDir(), t.TempDir()
	kills := torture.Times(5, 100) / torture.Thin(5)
	// Of few digits, which do not take longer to load than a life lasts, and
	// with more steps than all lives together get through.
	flags := []string{"-data", fewDigits(t), "-every", "2", "-steps", strconv.Itoa(40 + 8*kills)}
	begin := time.Now()
	want := finish(t, program, whole, flags...)
	took := time.Since(begin)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d; the whole training took %v", seed, took)
	random := rand.New(rand.NewPCG(seed, 0))
	resumed, saves := 0, 0
	for life := range kills {
		after := time.Duration(random.Int64N(int64(30 * time.Millisecond)))
		when := moment{lines: 1 + random.IntN(3), after: after}
		if life == 0 {
			when.lines = 2 // and the second tells of a save: however few lives there are, one of them resumes
		} else if random.IntN(4) == 0 {
			when = moment{after: time.Duration(random.Int64N(int64(200 * time.Millisecond)))}
		}
		printed := kill(t, program, killed, when, flags...)
		for i, line := range printed {
			if i == 0 && strings.HasPrefix(line, "resumed ") {
				resumed++
			}
			if strings.Contains(line, "saved ckpt-") {
				saves++
			}
		}
	}
	got := finish(t, program, killed, flags...)
	t.Logf("%d lives were killed after they had resumed, %d saves were told of; the last one: %s", resumed, saves, last(t, got, "resumed "))
	torture.Count(t, "kills of a training", kills)

	for _, line := range []string{"weights ", "test accuracy "} {
		if g, w := last(t, got, line), last(t, want, line); g != w {
			t.Errorf("killed and resumed: %s\nwant %s", g, w)
		}
	}
	a, b := newest(t, killed), newest(t, whole)
	// The number of a save that was cut is not given to another.
	delete(a, counter)
	delete(b, counter)
	compare(t, a, b)
}

const counter = "save_counter/.ATTRIBUTES/VARIABLE_VALUE"

// fewDigits makes a data set of noise: what is learned from it does not matter.
func fewDigits(t *testing.T) string {
	t.Helper()
	dir, random := t.TempDir(), rand.New(rand.NewPCG(1, 1))
	for name, n := range map[string]uint32{"train": 1280, "t10k": 100} {
		images := binary.BigEndian.AppendUint32(nil, 0x0803) // MNIST's magic numbers
		for _, size := range []uint32{n, 28, 28} {
			images = binary.BigEndian.AppendUint32(images, size)
		}
		labels := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x0801), n)
		for range n {
			labels = append(labels, byte(random.IntN(10)))
			for range pixels {
				images = append(images, byte(random.Uint32()))
			}
		}
		for part, data := range map[string][]byte{"images-idx3": images, "labels-idx1": labels} {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+"-"+part+"-ubyte.gz"), b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
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
	cmd, out := start(t, program, dir, flags...)
	for range 2 { // it trains
		if _, err := out.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
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

	resumed := finish(t, program, dir, flags...)
	if got, want := last(t, resumed, "resumed "), "resumed from "+path+" at step "+step+" of 120"; got != want {
		t.Errorf("it printed %q, want %q", got, want)
	}
	again := finish(t, program, dir, flags...)
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
