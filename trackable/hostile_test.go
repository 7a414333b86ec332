package trackable_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// lots is how many nodes a hostile graph has in these tests: enough for what
// takes their square to time out.
const lots = 50_000

var one = []tfproto.SerializedTensor{{Name: trackable.VariableValue, CheckpointKey: "key"}}

// graphOf returns a Source of the graph that has these nodes.
func graphOf(nodes ...tfproto.TrackableObject) anything {
	return anything{string(tfproto.TrackableObjectGraph{Nodes: nodes}.Marshal())}
}

// star returns a node with lots of edges of one name, to nodes with a tensor.
func star(name string) anything {
	nodes := make([]tfproto.TrackableObject, lots+1)
	for i := 1; i <= lots; i++ {
		nodes[0].Children = append(nodes[0].Children, tfproto.ObjectReference{NodeID: int32(i), LocalName: name})
		nodes[i].Attributes = one
	}
	return graphOf(nodes...)
}

// chain returns nodes that lead one to the next, the last with a tensor.
func chain(name string) anything {
	nodes := make([]tfproto.TrackableObject, lots)
	for i := range lots - 1 {
		nodes[i].Children = []tfproto.ObjectReference{{NodeID: int32(i + 1), LocalName: name}}
	}
	nodes[lots-1].Attributes = one
	return graphOf(nodes...)
}

func TestGraphsMadeToTakeLongDoNot(t *testing.T) {
	crowd := tree()
	for range 1000 {
		crowd.Track(strings.Repeat("x", len(crowd.TrackableChildren())), scalar(0))
	}
	crowd.Track("self", crowd)
	slots := []tfproto.TrackableObject{{Children: []tfproto.ObjectReference{{NodeID: 1, LocalName: "v"}, {NodeID: 2, LocalName: "optimizer"}}}, {Attributes: one}, {}, {Attributes: one}}
	for range lots {
		slots[2].SlotVariables = append(slots[2].SlotVariables, tfproto.SlotVariableReference{OriginalVariableNodeID: 1, SlotName: "m", SlotVariableNodeID: 3})
	}
	for _, c := range []struct {
		name string
		root *trackable.Node
		src  anything
	}{
		{"edges to one variable", target(t), star("v")},
		{"edges to itself", crowd, star("self")},
		{"edges to nothing", target(t), star("later")},
		{"a chain through itself", crowd, chain("self")},
		{"a chain through nothing", target(t), chain("later")},
		{"a linked list", target(t), chain("Next")},
		{"slots", target(t), graphOf(slots...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := restored(t, c.root, c.src, nil)
			c.root.Track("later", tree("later", scalar(0)))
			if err := s.AssertConsumed(); err == nil {
				t.Error("AssertConsumed = nil, want an error: the root has more")
			}
		})
	}
}

// counted says how often it was asked.
type counted struct {
	trackable.Node
	asked int
}

func (c *counted) TrackableChildren() []trackable.Child {
	c.asked++
	return c.Node.TrackableChildren()
}

func TestAnObjectIsAskedForItsChildrenOnce(t *testing.T) {
	c := new(counted)
	c.Track("self", c)
	restored(t, tree("self", c), chain("self"), nil)
	if c.asked != 1 {
		t.Errorf("asked %d times, want once", c.asked)
	}
}

func TestWalkVisitsANodeOnceHoweverManyEdgesLeadToIt(t *testing.T) {
	nodes := make([]tfproto.TrackableObject, 64)
	for i := range len(nodes) - 1 {
		e := tfproto.ObjectReference{NodeID: int32(i + 1), LocalName: "x"}
		nodes[i].Children = []tfproto.ObjectReference{e, e}
	}
	g, err := trackable.ReadGraph(graphOf(nodes...))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for v := range g.Walk() {
		if n++; n > len(nodes) {
			break
		}
		if v.Depth != v.Node {
			t.Errorf("node %d is at depth %d, want %d", v.Node, v.Depth, v.Node)
		}
	}
	if n != len(nodes) {
		t.Errorf("Walk visits %d nodes, want %d", n, len(nodes))
	}
}

func TestALongChainGrowsAStructInLinearTime(t *testing.T) {
	got := new(hostile)
	s := restored(t, object(t, got), chain("Next"), nil)
	if s.AssertConsumed() == nil {
		t.Error("AssertConsumed = nil, want an error: the last is no number")
	}
}

// wrong is a list whose every link wants another dtype than anything has.
type wrong struct {
	V    int8
	Next *wrong
}

func TestReportsOfALongChainAreBounded(t *testing.T) {
	nodes := make([]tfproto.TrackableObject, 0, 2*lots)
	for i := range lots {
		next := tfproto.ObjectReference{NodeID: int32(min(2*i+2, 2*lots-2)), LocalName: "Next"}
		nodes = append(nodes, tfproto.TrackableObject{Children: []tfproto.ObjectReference{{NodeID: int32(2*i + 1), LocalName: "V"}, next}},
			tfproto.TrackableObject{Attributes: one})
	}
	src := graphOf(nodes...)
	_, err := trackable.Restore(object(t, new(wrong)), src, nil)
	var report *trackable.MismatchError
	if !errors.As(err, &report) || len(report.Mismatches)+report.Omitted != lots {
		t.Fatalf("Restore = %T, want a report of %d mismatches", err, lots)
	}
	if text := err.Error(); len(text) > 4<<20 || !strings.HasSuffix(text, " more") {
		t.Errorf("the report has %d bytes, want it to end with how many more there are", len(text))
	}
	if text := strings.Join(restored(t, tree(), src, nil).Unused(), ""); len(text) > 4<<20 || !strings.HasSuffix(text, " more") {
		t.Errorf("Unused has %d bytes, want it to end with how many more there are", len(text))
	}
}

func TestBadGraphsAreCorrupt(t *testing.T) {
	child := func(id int32) []tfproto.ObjectReference {
		return []tfproto.ObjectReference{{NodeID: id, LocalName: "x"}}
	}
	slot := func(variable, node int32) []tfproto.SlotVariableReference {
		return []tfproto.SlotVariableReference{{OriginalVariableNodeID: variable, SlotName: "m", SlotVariableNodeID: node}}
	}
	for _, c := range []struct {
		name, want string
		src        format.Source
	}{
		{"no nodes", "object graph: has no nodes: corrupt", graphOf()},
		{"child outside", `object graph: node 0: child "x" is node 1 of 1: corrupt`, graphOf(tfproto.TrackableObject{Children: child(1)})},
		{"child negative", `object graph: node 0: child "x" is node -1 of 1: corrupt`, graphOf(tfproto.TrackableObject{Children: child(-1)})},
		{"slot outside", `object graph: node 0: slot "m" is node 5, of node 0, of 1: corrupt`, graphOf(tfproto.TrackableObject{SlotVariables: slot(0, 5)})},
		{"variable outside", `object graph: node 0: slot "m" is node 0, of node -5, of 1: corrupt`, graphOf(tfproto.TrackableObject{SlotVariables: slot(-5, 0)})},
		{"not a message", "object graph: ", anything{"\xff\xff"}},
		{"a number", "object graph: is float32 [], not one string: corrupt", numberForGraph{}},
	} {
		_, err := trackable.Restore(tree(), c.src, nil)
		if !errors.Is(err, format.ErrCorrupt) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: Restore = %v, want %v", c.name, err, c.want)
		}
	}
}

// numberForGraph is a Source whose graph is a number.
type numberForGraph struct{ anything }

func (numberForGraph) Tensor(string) (tensor.Tensor, error) { return number(1), nil }

func TestSavedByARegisteredSaverIsNotConsumed(t *testing.T) {
	src := graphOf(tfproto.TrackableObject{Children: []tfproto.ObjectReference{{NodeID: 1, LocalName: "x"}}},
		tfproto.TrackableObject{RegisteredSaver: &tfproto.RegisteredSaver{Name: "Custom.saver", ObjectName: "x"}})
	s := restored(t, tree("x", tree()), src, nil)
	want := `not matched: unused attributes, stored for an object that does not take them: (root).x (files of registered saver "Custom.saver")`
	if err := s.AssertConsumed(); err == nil || err.Error() != want {
		t.Errorf("AssertConsumed = %v, want %v", err, want)
	}
}
