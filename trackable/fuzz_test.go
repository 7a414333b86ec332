package trackable_test

import (
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// anything is a Source that has a number under every key but GraphKey.
type anything struct{ graph string }

func (a anything) Names() []string { return nil }

func (a anything) Info(string) (format.Info, error) {
	return format.Info{DType: tensor.Float32}, nil
}

func (a anything) Tensor(name string) (tensor.Tensor, error) {
	if name == trackable.GraphKey {
		return text(a.graph), nil
	}
	return number(1), nil
}

// target returns objects that a hostile graph can lead around in.
func target(t testing.TB) *trackable.Node {
	root, opt := tree(), new(optimizer)
	root.Track("root", root).Track("self", root)
	root.Track("v", scalar(0)).Track("a", scalar(0)).Track("b", tree("root", root, "v", scalar(0)))
	root.Track("l", trackable.NewList(scalar(0), trackable.NewList())).Track("d", trackable.NewDict().Set("x", scalar(0)))
	root.Track("optimizer", opt).Track("o", opt).Track("kernel", scalar(0)).Track("bias", scalar(0))
	root.Track("m", &many{}).Track("p", trackable.State(new(stamp))).Track("s", object(t, &hostile{}))
	return root
}

// hostile is a struct that grows in every way there is.
type hostile struct {
	V    float32
	Next *hostile
	List []*hostile
	Flat []hostile
	Map  map[string]hostile
	Ptrs map[string]*hostile
	Nums []float32
}

func FuzzRestore(f *testing.F) {
	for _, g := range described(f) {
		graph, err := storedBy(f, g).tensors[trackable.GraphKey].Strings()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(graph[0]))
	}
	s := &hostile{Next: &hostile{}, List: []*hostile{{}, nil}, Flat: []hostile{{}}, Map: map[string]hostile{"k": {}}, Nums: []float32{}}
	grown, err := saved(f, tree("s", object(f, s))).tensors[trackable.GraphKey].Strings()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(grown[0]))
	f.Fuzz(func(t *testing.T, graph []byte) {
		src := anything{string(graph)}
		g, err := trackable.ReadGraph(src)
		if err != nil {
			return
		}
		nodes := 0
		for v := range g.Walk() {
			nodes++
			if v.Depth < 50 {
				_ = g.Path(v.Node)
			}
		}
		if nodes > len(g.Nodes) {
			t.Errorf("Walk visits %d nodes of %d", nodes, len(g.Nodes))
		}
		root := target(t)
		status, err := trackable.Restore(root, src, nil)
		if err != nil {
			return
		}
		root.Track("later", tree("v", scalar(0)))
		_ = status.AssertConsumed()
		_ = status.AssertNontrivialMatch()
		_ = status.Unused()
		_ = status.Warnings()
	})
}
