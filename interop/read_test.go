//go:build interop

package interop

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// written is what a writer of py/writers.py answers.
type written struct {
	Prefix  string
	Tensors []graphs.Value
}

// rounds is how often each writer writes, with other values and shapes.
const rounds = 3

func TestWeReadWhatTensorFlowWrites(t *testing.T) {
	writers := must[[]string](t, "writer_names", nil)
	if len(writers) < 15 {
		t.Fatalf("only %d writers: %q", len(writers), writers)
	}
	for _, writer := range writers {
		t.Run(writer, func(t *testing.T) {
			r := random(t)
			for range rounds {
				seed, dir := r.Uint32(), t.TempDir()
				w := must[written](t, "write", map[string]any{"writer": writer, "directory": dir, "seed": seed})
				if len(w.Tensors) == 0 {
					t.Fatalf("seed %d: TensorFlow wrote no tensors", seed)
				}
				compareWithReader(t, w)
			}
		})
	}
}

// compareWithReader lists, verifies and reads a checkpoint through
// checkpoint.Load and compares with what TensorFlow read.
func compareWithReader(t *testing.T, w written) {
	t.Helper()
	ctx := context.Background()
	dir := storage.ReadOnly(local.Dir(filepath.Dir(w.Prefix)))
	r, err := checkpoint.Load(ctx, dir, filepath.Base(w.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.Verify(ctx, nil); err != nil {
		t.Errorf("Verify() = %v", err)
	}
	var names []string
	for _, v := range w.Tensors {
		names = append(names, v.Name)
		compareTensor(t, r, v)
	}
	got := slices.Sorted(slices.Values(r.Names()))
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("Names() = %q, want %q", got, names)
	}
}

func compareTensor(t *testing.T, r *checkpoint.Reader, v graphs.Value) {
	t.Helper()
	info, err := r.Info(v.Name)
	if err != nil || info.DType.String() != v.DType || !info.Shape.Equal(v.Shape) {
		t.Errorf("Info(%q) = %v, %v, want %s %v", v.Name, info, err, v.DType, v.Shape)
	}
	got, err := r.Tensor(v.Name)
	if err != nil {
		t.Errorf("Tensor(%q): %v", v.Name, err)
		return
	}
	if v.DType == "variant" {
		return // opaque to TensorFlow too
	}
	want, err := v.Tensor()
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(want) {
		t.Errorf("Tensor(%q) = %v %v, which is not what TensorFlow reads", v.Name, got.DType(), got.Shape())
	}
}

func TestASavedModelIsOpenedByItsDirectory(t *testing.T) {
	dir := t.TempDir()
	w := must[written](t, "write", map[string]any{"writer": "saved_model", "directory": dir, "seed": random(t).Uint32()})
	r, err := checkpoint.Load(context.Background(), storage.ReadOnly(local.Dir(dir)), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range w.Tensors {
		compareTensor(t, r, v)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestLatestAndListFindTensorFlowsCheckpoints(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	must[written](t, "write", map[string]any{"writer": "variables", "directory": dir, "seed": random(t).Uint32()})
	place := storage.ReadOnly(local.Dir(dir))
	if got, err := checkpoint.Latest(ctx, place); err != nil || got != "ckpt-1" {
		t.Errorf("Latest() = %q, %v, want ckpt-1", got, err)
	}
	list, err := checkpoint.List(ctx, place, nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("List() = %v, %v, want one", list, err)
	}
	if l := list[0]; l.Path != "ckpt-1" || !l.Complete || !l.Latest || l.Shards != 1 {
		t.Errorf("List() = %+v, want ckpt-1, complete, latest, one shard", l)
	}
}

// TestTheVersionsAreThePinned keeps a CKPT_PYTHON from somewhere else from
// passing for the environment that requirements.txt describes.
func TestTheVersionsAreThePinned(t *testing.T) {
	text, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	pinned := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, version, ok := strings.Cut(strings.TrimSpace(line), "=="); ok {
			pinned[name] = version
		}
	}
	for name, version := range must[map[string]string](t, "versions", nil) {
		if want := pinned[strings.Replace(name, "tensorflow", "tensorflow_cpu", 1)]; version != want || want == "" {
			t.Errorf("%s is version %s, requirements.txt says %q", name, version, want)
		}
	}
}
