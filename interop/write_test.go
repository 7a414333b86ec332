//go:build interop

package interop

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
)

// bundle writes tensors into data files, each going where shard says, and the
// index, under the prefix "ours".
func bundle(t *testing.T, dir string, shards int, named []format.Named, shard func(i int) int) string {
	t.Helper()
	ctx, place := context.Background(), local.Dir(dir)
	data := make([]bytes.Buffer, shards)
	writers := make([]*tensorbundle.Writer, shards)
	for i := range shards {
		writers[i] = tensorbundle.NewWriter(&data[i], i)
	}
	for i, n := range named {
		if err := writers[shard(i)].Add(n); err != nil {
			t.Fatal(err)
		}
	}
	var parts []tensorbundle.Shard
	for i, w := range writers {
		parts = append(parts, w.Shard())
		if err := storage.WriteFile(ctx, place, tensorbundle.DataName("ours", i, shards), data[i].Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	var index bytes.Buffer
	if err := tensorbundle.WriteIndex(&index, parts); err != nil {
		t.Fatal(err)
	}
	if err := storage.WriteFile(ctx, place, tensorbundle.IndexName("ours"), index.Bytes()); err != nil {
		t.Fatal(err)
	}
	return dir + "/ours"
}

// everyType makes up three tensors of each type a file can store.
func everyType(t *testing.T, m *maker) (named []format.Named, want []graphs.Value) {
	t.Helper()
	for d := tensor.Float32; d <= tensor.Float4E2M1FN; d++ {
		if !d.Valid() || d == tensor.Variant {
			continue
		}
		for i := range 3 {
			v := m.value(d)
			v.Name = d.String() + "/" + string(rune('a'+i))
			value, err := v.Tensor()
			if err != nil {
				t.Fatal(err)
			}
			named, want = append(named, format.Named{Name: v.Name, Tensor: value}), append(want, v)
		}
	}
	return named, want
}

func TestTensorFlowReadsEveryTypeWeWrite(t *testing.T) {
	m := &maker{Rand: random(t)}
	named, want := everyType(t, m)
	for _, shards := range []int{1, 4} {
		prefix := bundle(t, t.TempDir(), shards, named, func(i int) int { return i % shards })
		sameTensors(t, must[[]graphs.Value](t, "read", map[string]any{"prefix": prefix}), want)
		sameListing(t, prefix, want)
	}
}

// sameTensors compares what TensorFlow read, which comes sorted by name.
func sameTensors(t *testing.T, got, want []graphs.Value) {
	t.Helper()
	byName := map[string]graphs.Value{}
	for _, v := range want {
		byName[v.Name] = v
	}
	if len(got) != len(want) {
		t.Errorf("TensorFlow read %d tensors, want %d", len(got), len(want))
	}
	for _, v := range got {
		if w, ok := byName[v.Name]; !ok || !sameValue(v, w) {
			t.Errorf("TensorFlow read %s as %v, want %v", v.Name, v, w)
		}
	}
}

// sameListing asks the public functions: tf.train.load_checkpoint and
// tf.train.list_variables.
func sameListing(t *testing.T, prefix string, want []graphs.Value) {
	t.Helper()
	loaded := must[[]graphs.Value](t, "load_checkpoint", map[string]any{"prefix": prefix})
	if len(loaded) != len(want) {
		t.Errorf("load_checkpoint lists %d tensors, want %d", len(loaded), len(want))
	}
	var names []string
	for _, v := range want {
		names = append(names, v.Name)
		if !slices.ContainsFunc(loaded, func(l graphs.Value) bool {
			return l.Name == v.Name && l.DType == v.DType && l.Shape.Equal(v.Shape)
		}) {
			t.Errorf("load_checkpoint does not list %s %s %v", v.Name, v.DType, v.Shape)
		}
	}
	var listed []string
	for _, pair := range must[[][2]any](t, "list_variables", map[string]any{"prefix": prefix}) {
		listed = append(listed, pair[0].(string))
	}
	slices.Sort(names)
	slices.Sort(listed)
	if !slices.Equal(listed, names) {
		t.Errorf("list_variables = %q, want %q", listed, names)
	}
}

// TestTensorFlowReadsTheSlicesWeWrite cuts tensors along a random dimension
// and deals the slices to shards. Of float16 and strings TensorFlow does not
// put slices together.
func TestTensorFlowReadsTheSlicesWeWrite(t *testing.T) {
	m := &maker{Rand: random(t)}
	for range 10 {
		var named []format.Named
		var want []graphs.Value
		for _, d := range []tensor.DType{tensor.Float32, tensor.Int64, tensor.Bool, tensor.BFloat16, tensor.Complex128} {
			parts, whole := m.cut(t, d)
			named, want = append(named, parts...), append(want, whole)
		}
		const shards = 3
		// Every shard has a tensor: TensorFlow counts no empty ones.
		prefix := bundle(t, t.TempDir(), shards, named, func(i int) int {
			if i < shards {
				return i
			}
			return m.IntN(shards)
		})
		sameTensors(t, must[[]graphs.Value](t, "read", map[string]any{"prefix": prefix}), want)
		sameListing(t, prefix, want)
	}
}

// cut makes up a tensor and its slices.
func (m *maker) cut(t *testing.T, d tensor.DType) ([]format.Named, graphs.Value) {
	t.Helper()
	v := m.value(d)
	for len(v.Shape) == 0 || slices.Contains(v.Shape, 0) {
		v = m.value(d)
	}
	v.Name = d.String()
	whole, err := v.Tensor()
	if err != nil {
		t.Fatal(err)
	}
	var parts []format.Named
	axis := m.IntN(len(v.Shape))
	for at := int64(0); at < v.Shape[axis]; {
		n := 1 + m.Int64N(v.Shape[axis]-at)
		part := tensor.Slice{Start: make([]int64, len(v.Shape)), Length: slices.Clone(v.Shape)}
		part.Start[axis], part.Length[axis] = at, n
		piece, err := whole.Slice(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, format.Named{Name: v.Name, Tensor: piece, Slice: &part, Full: v.Shape})
		at += n
	}
	return parts, v
}

// TestManagersTakeTurns lets our manager and TensorFlow's save into one
// directory, one after the other: each finds the other's latest, restores it,
// goes on counting and removes what is too much.
func TestManagersTakeTurns(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	keep := 3
	root := 0
	v := (&maker{Rand: random(t)}).value(tensor.Float32)
	g := &graphs.Graph{Name: "turns", Call: graphs.Manager, Saves: 4, MaxToKeep: &keep, Root: &root, Objects: []graphs.Object{
		{Kind: "node", Children: []graphs.Edge{{Name: "v", Object: 1}}}, {Kind: "variable", FullName: "v", Value: &v},
	}}
	save(t, g, build(t, g), dir)
	if got := must[string](t, "latest_checkpoint", map[string]any{"directory": dir}); got != dir+"/ckpt-4" {
		t.Errorf("tf.train.latest_checkpoint = %q, want ckpt-4", got)
	}
	turn := must[struct {
		Restored, Saved string
		Checkpoints     []string
	}](t, "manage", map[string]any{"graph": g.Altered(), "directory": dir})
	want := []string{dir + "/ckpt-3", dir + "/ckpt-4", dir + "/ckpt-5"}
	if turn.Restored != dir+"/ckpt-4" || turn.Saved != dir+"/ckpt-5" || !slices.Equal(turn.Checkpoints, want) {
		t.Errorf("TensorFlow's manager: %+v, want ckpt-4 restored, ckpt-5 saved, %q kept", turn, want)
	}
	b := build(t, g.Altered())
	c := checkpoint.New(b.Root(), b.Attached(), nil)
	m, err := checkpoint.NewManager(ctx, c, local.Dir(dir), &checkpoint.ManagerOptions{MaxToKeep: keep})
	if err != nil {
		t.Fatal(err)
	}
	if path, err := m.RestoreOrInitialize(ctx); err != nil || path != "ckpt-5" {
		t.Errorf("RestoreOrInitialize() = %q, %v, want ckpt-5", path, err)
	}
	if err := b.Differs(build(t, g)); err != nil {
		t.Error(err)
	}
	if path, err := m.Save(ctx, nil); err != nil || path != "ckpt-6" {
		t.Errorf("Save() = %q, %v, want ckpt-6", path, err)
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	onlyCheckpoints(t, dir, "ckpt-4", "ckpt-5", "ckpt-6")
	state := must[struct {
		Latest string   `json:"model_checkpoint_path"`
		All    []string `json:"all_model_checkpoint_paths"`
	}](t, "checkpoint_state", map[string]any{"directory": dir})
	if state.Latest != dir+"/ckpt-6" || len(state.All) != 3 {
		t.Errorf("tf.train.get_checkpoint_state = %+v, want ckpt-6 and three", state)
	}
}

func onlyCheckpoints(t *testing.T, dir string, want ...string) {
	t.Helper()
	found, err := filepath.Glob(dir + "/*.index")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		got = append(got, filepath.Base(f[:len(f)-len(".index")]))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("checkpoints on disk are %q, want %q", got, want)
	}
}
