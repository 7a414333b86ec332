//go:build interop

package interop

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

// TestModelsAreRewrittenAndRestored takes a model that Keras saved, builds its
// graph in Go, and
//
//   - saves it as it was: the files must be the same bytes;
//   - saves it with other values: Keras must restore them all.
func TestModelsAreRewrittenAndRestored(t *testing.T) {
	for _, c := range []struct{ writer, model string }{
		{"keras3_adam", "keras3"},              // tf.train.Checkpoint(model=, optimizer=).restore
		{"tf_keras_save_weights", "tf_keras"},  // Model.load_weights
		{"tf_keras_legacy", "tf_keras_legacy"}, // slot variables
	} {
		t.Run(c.model, func(t *testing.T) {
			r, dir := random(t), t.TempDir()
			w := must[written](t, "write", map[string]any{"writer": c.writer, "directory": dir, "seed": r.Uint32()})
			g := describe(t, w.Prefix)
			same := t.TempDir()
			save(t, g, build(t, g), same)
			sameModel(t, same, dir, filepath.Base(w.Prefix))

			altered := g.Altered()
			path := save(t, altered, build(t, altered), t.TempDir())
			weights := must[[]graphs.Value](t, "restore_model", map[string]any{"model": c.model, "path": path, "seed": r.Uint32()})
			compareWeights(t, weights, altered)
		})
	}
}

// TestRewrittenSlotsAndListsHaveTheSameBytes does the first half of it for
// checkpoints that are no models.
func TestRewrittenSlotsAndListsHaveTheSameBytes(t *testing.T) {
	for _, writer := range []string{"v1_optimizers", "tf_keras_adam", "strings", "containers"} {
		t.Run(writer, func(t *testing.T) {
			dir := t.TempDir()
			w := must[written](t, "write", map[string]any{"writer": writer, "directory": dir, "seed": random(t).Uint32()})
			g, same := describe(t, w.Prefix), t.TempDir()
			save(t, g, build(t, g), same)
			sameModel(t, same, dir, filepath.Base(w.Prefix))
		})
	}
}

// sameModel compares the files of one checkpoint. A graph with a root is
// saved by Write, as "ckpt", whatever TensorFlow called it.
func sameModel(t *testing.T, ours, theirs, base string) {
	t.Helper()
	have, want := files(t, ours), files(t, theirs)
	for _, suffix := range []string{".index", ".data-00000-of-00001"} {
		got, ok := have[base+suffix]
		if !ok {
			got = have["ckpt"+suffix]
		}
		if string(got) != string(want[base+suffix]) || len(got) == 0 {
			t.Errorf("%s%s is not TensorFlow's: %d bytes, want %d", base, suffix, len(got), len(want[base+suffix]))
		}
	}
}

// describe describes the objects of a checkpoint: what a Go program would
// have to build to have the same.
func describe(t *testing.T, prefix string) *graphs.Graph {
	t.Helper()
	dir := storage.ReadOnly(local.Dir(filepath.Dir(prefix)))
	r, err := checkpoint.Load(context.Background(), dir, filepath.Base(prefix))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	stored, err := trackable.ReadGraph(r)
	if err != nil {
		t.Fatal(err)
	}
	g := &graphs.Graph{Name: filepath.Base(prefix), Call: graphs.Write, Saves: 1}
	for i, n := range stored.Nodes {
		g.Objects = append(g.Objects, describeNode(t, r, n, i == 0))
	}
	describeRoot(g, stored.Nodes[0])
	return g
}

// describeRoot finds out how the checkpoint was made: with a root, which then
// has an edge to itself, or without.
func describeRoot(g *graphs.Graph, n trackable.GraphNode) {
	for _, e := range n.Children {
		switch {
		case e.Name == "save_counter":
			g.Call = graphs.Save
		case e.Name == "root" && e.Node == 0:
			g.Root = new(int)
		}
	}
	if g.Root != nil {
		attach(g, n)
		return
	}
	for _, e := range n.Children {
		if e.Name != "save_counter" {
			g.Attached = append(g.Attached, graphs.Edge{Name: e.Name, Object: e.Node})
		}
	}
}

// attach tells the root's own children from the attached ones, which come
// after the edge "root" or, sorted before it, cannot be told: the tests
// attach nothing that sorts before.
func attach(g *graphs.Graph, n trackable.GraphNode) {
	after := false
	for _, e := range n.Children {
		edge := graphs.Edge{Name: e.Name, Object: e.Node}
		switch {
		case e.Name == "root" && e.Node == 0:
			after = true
		case e.Name == "save_counter":
		case after:
			g.Attached = append(g.Attached, edge)
		default:
			g.Objects[0].Children = append(g.Objects[0].Children, edge)
		}
	}
}

func describeNode(t *testing.T, r *checkpoint.Reader, n trackable.GraphNode, root bool) graphs.Object {
	t.Helper()
	o := graphs.Object{Kind: "node"}
	for _, e := range n.Children {
		if !root {
			o.Children = append(o.Children, graphs.Edge{Name: e.Name, Object: e.Node})
		}
	}
	for _, s := range n.Slots {
		o.Kind = "slots"
		if len(o.Slots) == 0 || o.Slots[len(o.Slots)-1].Name != s.Name {
			o.Slots = append(o.Slots, graphs.Slot{Name: s.Name})
		}
		last := &o.Slots[len(o.Slots)-1]
		last.Pairs = append(last.Pairs, [2]int{s.Variable, s.Node})
	}
	for _, a := range n.Attributes {
		value, err := r.Tensor(a.Key)
		if err != nil {
			t.Fatal(err)
		}
		v, err := graphs.ValueOf("", value)
		if err != nil {
			t.Fatal(err)
		}
		if a.Name != trackable.VariableValue {
			t.Fatalf("attribute %s: only variables are expected here", a.Key)
		}
		o.Kind, o.FullName, o.Value = "variable", a.FullName, &v
	}
	return o
}

// compareWeights compares a model's variables with the description's, by
// their names in TensorFlow.
func compareWeights(t *testing.T, weights []graphs.Value, g *graphs.Graph) {
	t.Helper()
	want := map[string]graphs.Value{}
	for _, o := range g.Objects {
		if o.Kind == "variable" {
			want[o.FullName] = *o.Value
		}
	}
	if len(weights) < 10 {
		t.Errorf("the model has %d variables, want at least 10", len(weights))
	}
	for _, w := range weights {
		v, ok := want[strings.TrimSuffix(w.Name, ":0")]
		if !ok || !sameValue(w, v) {
			t.Errorf("the model restored %s as %v, want %v (stored: %v)", w.Name, w, v, ok)
		}
	}
}
