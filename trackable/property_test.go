package trackable_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
	"pgregory.net/rapid"
)

// drawn is a random graph: objects of some kind, and edges between them.
type drawn struct {
	kinds []string
	edges []drawnEdge
	slots []drawnSlot
}

type drawnEdge struct {
	from, to int
	name     string
}

type drawnSlot struct {
	owner, variable int
	name            string
}

// drawGraph makes object 0 a node; variables have no edges. Edges may share
// objects and form cycles.
func drawGraph(t *rapid.T) drawn {
	g := drawn{kinds: []string{"node"}}
	kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"node", "list", "dict", "owner", "variable", "variable"}), 1, 12).Draw(t, "kinds")
	g.kinds = append(g.kinds, kinds...)
	taken := make(map[drawnEdge]bool)
	for i := range rapid.IntRange(1, 30).Draw(t, "edges") {
		e := drawnEdge{
			from: rapid.IntRange(0, len(g.kinds)-1).Draw(t, "from"),
			to:   rapid.IntRange(0, len(g.kinds)-1).Draw(t, "to"),
			name: rapid.SampledFrom([]string{"a", "b.c", "d/e", "..", ".S", "", "ü", strconv.Itoa(i)}).Draw(t, "name"),
		}
		if place := (drawnEdge{from: e.from, name: e.name}); g.kinds[e.from] != "variable" && !taken[place] {
			taken[place] = true
			g.edges = append(g.edges, e)
		}
	}
	for owner, kind := range g.kinds {
		for variable, of := range g.kinds {
			if kind == "owner" && of == "variable" && rapid.Bool().Draw(t, "slot") {
				g.slots = append(g.slots, drawnSlot{owner, variable, rapid.SampledFrom([]string{"m", "v/."}).Draw(t, "slot name")})
			}
		}
	}
	return g
}

// made is a drawn graph as objects; variable i holds i*scale.
type made struct {
	drawn
	objects []trackable.Object
}

func (g drawn) build(scale float32) *made {
	m := &made{drawn: g}
	for i, kind := range g.kinds {
		switch kind {
		case "node":
			m.objects = append(m.objects, new(trackable.Node))
		case "list":
			m.objects = append(m.objects, new(trackable.List))
		case "dict":
			m.objects = append(m.objects, trackable.NewDict())
		case "owner":
			m.objects = append(m.objects, new(optimizer))
		case "variable":
			m.objects = append(m.objects, scalar(float32(i)*scale))
		}
	}
	for i, s := range g.slots {
		m.objects[s.owner].(*optimizer).slot(s.name, m.objects[s.variable], float32(100+i)*scale)
	}
	return m
}

func (m *made) track(e drawnEdge) {
	to := m.objects[e.to]
	switch from := m.objects[e.from].(type) {
	case *trackable.Node:
		from.Track(e.name, to)
	case *optimizer:
		from.Track(e.name, to)
	case *trackable.List:
		from.Append(to)
	case *trackable.Dict:
		from.Set(e.name, to)
	}
}

// values returns what is saved, as text.
func (m *made) values(t *rapid.T) map[string]string {
	values := make(map[string]string)
	for n, err := range trackable.Save(m.objects[0], nil) {
		if err != nil {
			t.Fatalf("Save = %v, want no error", err)
		}
		if n.Name != trackable.GraphKey {
			values[n.Name] = n.Tensor.Format(0)
		}
	}
	return values
}

func TestWhatIsSavedComesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := drawGraph(rt)
		full, empty := g.build(1), g.build(0)
		for _, e := range g.edges {
			full.track(e)
			empty.track(e)
		}
		src := saved(t, full.objects[0])
		s := restored(t, empty.objects[0], src, &trackable.RestoreOptions{StageLimit: 8})
		if err := s.AssertConsumed(); err != nil {
			rt.Errorf("AssertConsumed = %v, want nil", err)
		}
		if got, want := fmt.Sprint(empty.values(rt)), fmt.Sprint(full.values(rt)); got != want {
			rt.Errorf("restored %v, want %v", got, want)
		}
		again := saved(t, empty.objects[0])
		if !again.tensors[trackable.GraphKey].Equal(src.tensors[trackable.GraphKey]) {
			rt.Error("the graph of the restored objects is another")
		}
	})
}

func TestObjectsThatAreTrackedAfterTheRestoreGetTheirValues(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := drawGraph(rt)
		full, empty := g.build(1), g.build(0)
		var later []drawnEdge
		for _, e := range g.edges {
			full.track(e)
			if g.kinds[e.from] != "list" && rapid.Bool().Draw(rt, "later") {
				later = append(later, e)
			} else {
				empty.track(e)
			}
		}
		s := restored(t, empty.objects[0], saved(t, full.objects[0]), nil)
		for _, e := range rapid.Permutation(later).Draw(rt, "order") {
			empty.track(e)
		}
		if err := s.AssertConsumed(); err != nil {
			rt.Errorf("AssertConsumed = %v, want nil", err)
		}
		for i, o := range full.objects {
			have, ok := o.(*trackable.Variable[float32])
			got := empty.objects[i]
			if ok && reaches(g, i) && got.(*trackable.Variable[float32]).Value[0] != have.Value[0] {
				rt.Errorf("variable %d = %v, want %v", i, got.(*trackable.Variable[float32]).Value, have.Value)
			}
		}
	})
}

// reaches reports whether edges lead from the root to an object.
func reaches(g drawn, object int) bool {
	seen := map[int]bool{0: true}
	for changed := true; changed; {
		changed = false
		for _, e := range g.edges {
			if seen[e.from] && !seen[e.to] {
				seen[e.to], changed = true, true
			}
		}
	}
	return seen[object]
}
