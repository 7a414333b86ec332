package cli_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/cli"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// Files by TensorFlow itself, each with a JSON file that says what is in it.
const (
	goldenV2 = "../../format/tensorbundle/testdata/tf"
	goldenV1 = "../../format/tensorslice/testdata/tf"
)

// run calls Main as a program would be called, with pipes.
func run(ctx context.Context, args ...string) (exit int, stdout, stderr string) {
	var out, errs strings.Builder
	exit = cli.Main(ctx, args, strings.NewReader(""), &out, &errs)
	return exit, out.String(), errs.String()
}

// ok is run for commands that must succeed without a word on standard error.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	exit, stdout, stderr := run(t.Context(), args...)
	if exit != 0 || stderr != "" {
		t.Fatalf("ckpt %q exits with %d: %s", args, exit, stderr)
	}
	return stdout
}

type goldenTensor struct {
	Name    string   `json:"name"`
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Value   *string  `json:"value"`   // hex of the little-endian bytes
	Strings []string `json:"strings"` // hex of each
}

func TestEveryTensorIsWhatTensorFlowWrote(t *testing.T) {
	for _, pattern := range []string{goldenV2 + "/*.json", goldenV1 + "/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no golden files in %s: %v", pattern, err)
		}
		for _, file := range files {
			path := strings.TrimSuffix(file, ".json")
			t.Run(filepath.Base(path), func(t *testing.T) { checkGolden(t, path, readGolden(t, file)) })
		}
	}
}

func readGolden(t *testing.T, file string) []goldenTensor {
	t.Helper()
	var golden struct{ Tensors []goldenTensor }
	if err := json.Unmarshal(read(t, file), &golden); err != nil {
		t.Fatal(err)
	}
	return golden.Tensors
}

func checkGolden(t *testing.T, path string, want []goldenTensor) {
	ok(t, "verify", path)
	var shown struct {
		Schema  int
		Tensors []goldenTensor
	}
	if err := json.Unmarshal([]byte(ok(t, "show", "--json", path)), &shown); err != nil {
		t.Fatal(err)
	}
	names := func(list []goldenTensor) (names []string) {
		for _, g := range list {
			names = append(names, g.Name+" "+g.DType)
		}
		return names
	}
	if got, want := names(shown.Tensors), names(want); shown.Schema != 1 || !slices.Equal(got, want) {
		t.Errorf("show --json: schema %d, tensors %q, want 1, %q", shown.Schema, got, want)
	}
	for _, g := range want {
		if g.Value == nil {
			continue
		}
		if got := hex.EncodeToString([]byte(ok(t, "cat", path, g.Name, "--format", "raw"))); got != *g.Value {
			t.Errorf("cat %s = %s, want %s", g.Name, got, *g.Value)
		}
		if text := ok(t, "cat", path, g.Name, "--json"); !json.Valid([]byte(text)) {
			t.Errorf("cat %s --json is not JSON: %s", g.Name, text)
		}
	}
}

// checkpointFiles copies a small checkpoint by TensorFlow to a fresh directory.
func checkpointFiles(t *testing.T, name string) (prefix string, files []string) {
	t.Helper()
	prefix = filepath.Join(t.TempDir(), name)
	found, err := filepath.Glob(filepath.Join(goldenV2, name+".[di]*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no files of %s: %v", name, err)
	}
	for _, from := range found {
		to := filepath.Join(filepath.Dir(prefix), filepath.Base(from))
		write(t, to, read(t, from))
		files = append(files, to)
	}
	return prefix, files
}

func TestAFlippedByteIsFoundInFilesByTensorFlow(t *testing.T) {
	prefix, files := checkpointFiles(t, "slices")
	for _, file := range files {
		damageEverywhere(t, prefix, file)
	}
}

func TestAFlippedByteAnywhereIsFoundInOurFiles(t *testing.T) {
	dir := t.TempDir()
	w := trackable.NewVariable("w", tensor.Shape{3}, []float32{1, 2, 3})
	c := checkpoint.New(nil, checkpoint.Objects{"w": w}, nil)
	if err := c.Write(t.Context(), local.Dir(dir), "ckpt"); err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(dir, "ckpt")
	for _, suffix := range []string{".index", ".data-00000-of-00001"} {
		damageEverywhere(t, prefix, prefix+suffix)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// damageEverywhere flips a bit of each byte of file, and cuts the file short,
// and checks that verify finds it each time.
func damageEverywhere(t *testing.T, prefix, file string) {
	t.Helper()
	whole := read(t, file)
	defer write(t, file, whole)
	for at := 0; at < len(whole); at += torture.Thin(11) {
		bad := slices.Clone(whole)
		bad[at] ^= 0x10
		wantCorrupt(t, prefix, file, at, bad)
	}
	wantCorrupt(t, prefix, file, len(whole)-1, whole[:len(whole)-1])
	wantCorrupt(t, prefix, file, 0, nil)
}

// wantCorrupt verifies the checkpoint with the content bad in one of its
// files, which is wrong from byte at on.
func wantCorrupt(t *testing.T, prefix, file string, at int, bad []byte) {
	t.Helper()
	write(t, file, bad)
	exit, stdout, stderr := run(t.Context(), "verify", prefix)
	stderr, _, _ = strings.Cut(stderr, "hint: ") // what to do is not about the byte
	if exit != 3 || !strings.HasPrefix(stdout, "corrupt\t") || !strings.HasPrefix(stderr, "ckpt: "+prefix) || strings.Count(stderr, "\n") != 1 {
		t.Errorf("verify of %s, damaged at byte %d, exits with %d, want 3 and one sentence: %s%s", filepath.Base(file), at, exit, stdout, stderr)
	}
}

func TestACancelledContextInterrupts(t *testing.T) {
	prefix, _ := checkpointFiles(t, "slices")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"verify", prefix}, {"show", prefix}, {"cat", prefix, "emb"}, {"ls", filepath.Dir(prefix)}} {
		if exit, stdout, stderr := run(ctx, args...); exit != 130 || stdout != "" || stderr != "ckpt: interrupted\n" {
			t.Errorf("ckpt %q interrupted: exit %d, %q, %q, want 130 and one sentence", args, exit, stdout, stderr)
		}
	}
}
