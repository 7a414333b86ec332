package graphs

import (
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

// descriptions returns every golden description, by name.
func descriptions(t *testing.T) map[string]*Graph {
	t.Helper()
	names, err := filepath.Glob("../../trackable/testdata/tf/*.json")
	if err != nil || len(names) < 20 {
		t.Fatalf("found %d descriptions (%v), want at least 20", len(names), err)
	}
	out := map[string]*Graph{}
	for _, name := range names {
		g, err := Read(name)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(name), ".json")] = g
	}
	return out
}

// TestSaveYieldsTensorFlowsTensorsInItsOrder puts together by hand what package
// checkpoint would: the Checkpoint, its self edge and save_counter.
func TestSaveYieldsTensorFlowsTensorsInItsOrder(t *testing.T) {
	for name, g := range descriptions(t) {
		t.Run(name, func(t *testing.T) {
			b, err := g.Build()
			if err != nil {
				t.Fatal(err)
			}
			attached := sorted(b.Attached())
			if b.Root() != nil {
				attached = sorted(b.Attached(), trackable.Child{Name: "root", Object: b.Root()})
			}
			if g.Call != Write {
				counter := trackable.NewScalar("save_counter", int64(g.Saves))
				attached = append(attached, trackable.Child{Name: "save_counter", Object: counter})
			}
			attached = append(attached, b.Late()...)
			if b.Root() != nil {
				compare(t, g, trackable.Save(b.Root(), &trackable.SaveOptions{Attached: attached}))
				return
			}
			node0 := new(trackable.Node)
			for _, c := range attached {
				node0.Track(c.Name, c.Object)
			}
			compare(t, g, trackable.Save(node0, nil))
		})
	}
}

// sorted lists named objects and more in the order of their names.
func sorted(named map[string]trackable.Object, more ...trackable.Child) []trackable.Child {
	for name, o := range named {
		more = append(more, trackable.Child{Name: name, Object: o})
	}
	slices.SortFunc(more, func(a, b trackable.Child) int { return strings.Compare(a.Name, b.Name) })
	return more
}

func compare(t *testing.T, g *Graph, saved func(func(format.Named, error) bool)) {
	t.Helper()
	i := 0
	for n, err := range saved {
		if err != nil {
			t.Fatal(err)
		}
		if n.Name == trackable.GraphKey {
			graph, err := n.Tensor.Strings()
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString([]byte(graph[0])); got != g.ObjectGraph {
				t.Errorf("object graph = %s, want %s", got, g.ObjectGraph)
			}
			continue
		}
		want, err := g.Tensors[i].Tensor()
		if err != nil {
			t.Fatal(err)
		}
		if n.Name != g.Tensors[i].Name || !n.Tensor.Equal(want) {
			t.Errorf("tensor %d = %s %v, want %s %v", i, n.Name, n.Tensor.DType(), g.Tensors[i].Name, want.DType())
		}
		i++
	}
	if i != len(g.Tensors) {
		t.Errorf("saved %d tensors, want %d", i, len(g.Tensors))
	}
}
