package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// savedOnce returns the files and the receipt of a small checkpoint that a
// manager has saved.
func savedOnce(b *testing.B) (index, data []byte, r checkpoint.Receipt) {
	b.Helper()
	dir := mem.Dir()
	w := trackable.NewVariable("w", tensor.Shape{2}, []float32{1, 2})
	m, err := checkpoint.NewManager(b.Context(), checkpoint.New(nil, checkpoint.Objects{"w": w}, nil), dir, nil)
	must(b, err)
	step := int64(100)
	path, err := m.Save(b.Context(), &checkpoint.SaveOptions{Step: &step, Metrics: map[string]float64{"loss": .25, "accuracy": .875}})
	must(b, err)
	must(b, m.Close(b.Context()))
	index, err = storage.ReadFile(b.Context(), dir, path+".index")
	must(b, err)
	data, err = storage.ReadFile(b.Context(), dir, path+".data-00000-of-00001")
	must(b, err)
	r, err = checkpoint.ReadReceipt(b.Context(), dir, path)
	must(b, err)
	return index, data, r
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// manyCheckpoints returns a directory with n small checkpoints, each with its
// receipt, as a manager that keeps all would leave it. It is made without
// flushing anything.
func manyCheckpoints(b *testing.B, n int) string {
	b.Helper()
	root, index, data, r := b.TempDir(), []byte(nil), []byte(nil), checkpoint.Receipt{}
	index, data, r = savedOnce(b)
	var s checkpoint.State
	texts := mem.Dir()
	for i := 1; i <= n; i++ {
		step := int64(100 * i)
		r.Path, r.SaveCounter, r.Step, r.Time = fmt.Sprintf("ckpt-%d", i), int64(i), &step, r.Time.Add(time.Minute)
		for k := range r.Files {
			r.Files[k].Name = r.Path + r.Files[k].Name[strings.IndexByte(r.Files[k].Name, '.'):]
		}
		must(b, checkpoint.WriteReceipt(b.Context(), texts, r.Path, r))
		s.AllModelCheckpointPaths = append(s.AllModelCheckpointPaths, r.Path)
		s.AllModelCheckpointTimestamps = append(s.AllModelCheckpointTimestamps, r.Time)
		put(b, root, r.Path+".index", index)
		put(b, root, r.Path+".data-00000-of-00001", data)
	}
	s.ModelCheckpointPath = r.Path
	must(b, checkpoint.WriteState(b.Context(), texts, s))
	for info, err := range texts.List(b.Context(), "") {
		must(b, err)
		text, err := storage.ReadFile(b.Context(), texts, info.Name)
		must(b, err)
		put(b, root, info.Name, text)
	}
	return root
}

func put(b *testing.B, root, name string, content []byte) {
	b.Helper()
	must(b, os.WriteFile(filepath.Join(root, name), content, 0o666))
}

// wantLines runs ckpt and counts the lines it prints.
func wantLines(b *testing.B, n int, args ...string) {
	b.Helper()
	exit, stdout, stderr := run(b.Context(), args...)
	if got := strings.Count(stdout, "\n"); exit != 0 || got != n {
		b.Fatalf("ckpt %q exits with %d and prints %d lines, want 0 and %d: %s", args, exit, got, n, stderr)
	}
}

func BenchmarkLs10000(b *testing.B) {
	root := manyCheckpoints(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		wantLines(b, 10_000, "ls", root)
	}
}

func BenchmarkLatestOf10000(b *testing.B) {
	root := manyCheckpoints(b, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		wantLines(b, 1, "latest", root)
	}
}

// manyTensors returns the path of a checkpoint of n small tensors.
func manyTensors(b *testing.B, n int) string {
	b.Helper()
	root := b.TempDir()
	x, err := tensor.New(tensor.Shape{2, 2}, []float32{1, 2, 3, 4})
	must(b, err)
	var data, index strings.Builder
	w := tensorbundle.NewWriter(&data, 0)
	for i := range n {
		name := fmt.Sprintf("model/layer_%d/dense/kernel_%d/.ATTRIBUTES/VARIABLE_VALUE", i%100, i)
		must(b, w.Add(format.Named{Name: name, Tensor: x}))
	}
	must(b, tensorbundle.WriteIndex(&index, []tensorbundle.Shard{w.Shard()}))
	put(b, root, "ckpt-1.data-00000-of-00001", []byte(data.String()))
	put(b, root, "ckpt-1.index", []byte(index.String()))
	must(b, checkpoint.WriteState(b.Context(), local.Dir(root), checkpoint.State{ModelCheckpointPath: "ckpt-1"}))
	return filepath.Join(root, "ckpt-1")
}

func BenchmarkShow100000(b *testing.B) {
	path := manyTensors(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		wantLines(b, 100_000, "show", path)
	}
}

func BenchmarkOpen100000(b *testing.B) {
	path := manyTensors(b, 100_000)
	dir, name := local.Dir(filepath.Dir(path)), filepath.Base(path)
	b.ReportAllocs()
	for b.Loop() {
		r, err := checkpoint.Load(b.Context(), dir, name)
		must(b, err)
		must(b, r.Close())
	}
}

func BenchmarkReadOneOf100000(b *testing.B) {
	path := manyTensors(b, 100_000)
	dir, name := local.Dir(filepath.Dir(path)), filepath.Base(path)
	b.ReportAllocs()
	for b.Loop() {
		_, err := checkpoint.LoadVariable(b.Context(), dir, name, "model/layer_42/dense/kernel_50042/.ATTRIBUTES/VARIABLE_VALUE")
		must(b, err)
	}
}

// BenchmarkCat1Of100000 is the same as a user of the command sees it.
func BenchmarkCat1Of100000(b *testing.B) {
	path := manyTensors(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		wantLines(b, 2, "cat", path, "model/layer_42/dense/kernel_50042")
	}
}
