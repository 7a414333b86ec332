package trackable_test

import (
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// described returns the graphs that TensorFlow saved, by name.
func described(t testing.TB) map[string]*graphs.Graph {
	t.Helper()
	files, err := filepath.Glob("testdata/tf/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d descriptions (%v), want at least 20", len(files), err)
	}
	all := make(map[string]*graphs.Graph)
	for _, f := range files {
		g, err := graphs.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = g
	}
	return all
}

// builtFrom returns a description's objects as a Checkpoint would hand them to
// Save: the root, and what only the Checkpoint has.
func builtFrom(t testing.TB, g *graphs.Graph) (trackable.Object, []trackable.Child) {
	t.Helper()
	b, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	var attached []trackable.Child
	for name, o := range b.Attached() {
		attached = append(attached, trackable.Child{Name: name, Object: o})
	}
	root := b.Root()
	if root != nil {
		attached = append(attached, trackable.Child{Name: "root", Object: root})
	} else {
		root = new(trackable.Node)
	}
	slices.SortFunc(attached, func(a, b trackable.Child) int { return strings.Compare(a.Name, b.Name) })
	if g.Call != graphs.Write {
		counter := trackable.NewScalar("save_counter", int64(g.Saves))
		attached = append(attached, trackable.Child{Name: "save_counter", Object: counter})
	}
	return root, append(attached, b.Late()...)
}

// storedBy returns what TensorFlow stored of a description.
func storedBy(t testing.TB, g *graphs.Graph) *memory {
	t.Helper()
	m := newMemory()
	for _, v := range g.Tensors {
		value, err := v.Tensor()
		if err != nil {
			t.Fatal(err)
		}
		m.set(v.Name, value)
	}
	graph, err := hex.DecodeString(g.ObjectGraph)
	if err != nil {
		t.Fatal(err)
	}
	m.set(trackable.GraphKey, text(string(graph)))
	return m
}

func TestSaveEqualsTensorFlow(t *testing.T) {
	for name, g := range described(t) {
		t.Run(name, func(t *testing.T) {
			root, attached := builtFrom(t, g)
			got, want := saved(t, root, attached...), storedBy(t, g)
			if !slices.Equal(got.names, want.names) {
				t.Fatalf("Save yields\n%q, want\n%q", got.names, want.names)
			}
			for _, n := range want.names {
				if !got.tensors[n].Equal(want.tensors[n]) {
					t.Errorf("%s = %v, want %v", n, got.tensors[n].Format(0), want.tensors[n].Format(0))
				}
			}
		})
	}
}

func TestRestoreTakesAllOfTensorFlowsGraphs(t *testing.T) {
	for name, g := range described(t) {
		t.Run(name, func(t *testing.T) {
			src := storedBy(t, g)
			for i := range g.Objects {
				zero(g.Objects[i].Value)
			}
			root, attached := builtFrom(t, g)
			s := restored(t, root, src, &trackable.RestoreOptions{Attached: attached})
			if err := s.AssertConsumed(); err != nil {
				t.Errorf("AssertConsumed = %v, want nil", err)
			}
			got := saved(t, root, attached...)
			for _, n := range src.names {
				if !got.tensors[n].Equal(src.tensors[n]) {
					t.Errorf("%s = %v, want %v", n, got.tensors[n].Format(0), src.tensors[n].Format(0))
				}
			}
		})
	}
}

// zero makes a described value all zeros, or empty strings.
func zero(v *graphs.Value) {
	if v == nil {
		return
	}
	v.Value = strings.Repeat("0", len(v.Value))
	if v.DType == tensor.String.String() {
		clear(v.Strings)
	}
}
