package trackable_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/trackable"
)

func counterChild() trackable.Child {
	return trackable.Child{Name: "save_counter", Object: trackable.NewScalar("", int64(1))}
}

func rootChild(root trackable.Object) trackable.Child {
	return trackable.Child{Name: "root", Object: root}
}

func storedGraph(t *testing.T, src format.Source) *trackable.Graph {
	t.Helper()
	g, err := trackable.ReadGraph(src)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestScenario100ChildrenOfAStoredNode(t *testing.T) {
	root := tree("leaf", tree())
	g := storedGraph(t, saved(t, root, rootChild(root), counterChild()))
	want := []trackable.Edge{{Name: "leaf", Node: 1}, {Name: "root", Node: 0}, {Name: "save_counter", Node: 2}}
	if got := g.Nodes[0].Children; !slices.Equal(got, want) {
		t.Errorf("children = %v, want %v", got, want)
	}
}

func TestScenario101Descendants(t *testing.T) {
	root := tree("leaf", tree())
	if got := storedGraph(t, saved(t, root, rootChild(root), counterChild())).Descendants(); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("Descendants = %v, want 0 1 2", got)
	}
	leaf := tree()
	a, b := tree("leaf", leaf), tree("leaf", leaf)
	if got, err := trackable.Descendants(tree("a", a, "b", b)); err != nil || len(got) != 4 || got[1] != a || got[2] != b || got[3] != leaf {
		t.Errorf("Descendants = %v, %v, want root, a, b, leaf", got, err)
	}
	rootWithSlots, _, _, _ := adam()
	if got := storedGraph(t, saved(t, rootWithSlots)).Descendants(); len(got) != 4 {
		t.Errorf("Descendants = %v, want 4 without slots", got)
	}
}

func TestScenario102Match(t *testing.T) {
	stored := tree("leaf1", tree("leaf3", tree(), "leaf4", tree()), "leaf2", tree("leaf5", tree()))
	g := storedGraph(t, saved(t, stored, counterChild()))
	here := tree("leaf1", tree("leaf3", tree()), "leaf2", tree("leaf5", tree()))
	m, err := g.Match(here)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(m)); !slices.Equal(got, []int{0, 1, 2, 4, 6}) || m[0] != here {
		t.Errorf("Match has nodes %v, want 0 1 2 4 6", got)
	}
}

func TestScenario103MatchOfOneStoredAndTwoHere(t *testing.T) {
	shared := tree()
	g := storedGraph(t, saved(t, tree("a", shared, "b", shared)))
	a, b := tree(), tree()
	d, err := g.Diff(tree("a", a, "b", b))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Matched) != 2 || d.Matched[1] != a {
		t.Errorf("Matched = %v, want the root and a", d.Matched)
	}
	want := "inconsistent references: (root).a is one object in the checkpoint and two here"
	if len(d.Conflicts) != 1 || d.Conflicts[0] != want {
		t.Errorf("Conflicts = %q, want %q", d.Conflicts, want)
	}
	if len(d.OnlyHere) != 1 || d.OnlyHere[0] != b {
		t.Errorf("OnlyHere = %v, want b", d.OnlyHere)
	}
}

func TestScenario104Diff(t *testing.T) {
	g := storedGraph(t, saved(t, tree("a", tree("gone", scalar(1)), "b", scalar(2))))
	a, fresh := tree(), scalar(0)
	a.Track("new", fresh)
	d, err := g.Diff(tree("a", a))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Matched) != 2 || d.Matched[1] != a || !slices.Equal(d.OnlyStored, []int{2, 3}) || len(d.OnlyHere) != 1 || d.OnlyHere[0] != fresh {
		t.Errorf("Diff = %+v, want a matched, b and gone only stored, new only here", d)
	}
	if _, err := g.Diff(nil); err == nil {
		t.Error("Diff(nil) = nil, want an error")
	}
	if _, err := g.Match(tree("x", (*trackable.Node)(nil))); err == nil {
		t.Error("Match of a nil child = nil, want an error")
	}
	if _, err := trackable.ReadGraph(newMemory()); !errors.Is(err, format.ErrNoTensor) {
		t.Errorf("ReadGraph of a name-based file = %v, want ErrNoTensor", err)
	}
}
