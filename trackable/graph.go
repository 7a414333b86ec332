package trackable

import (
	"fmt"
	"iter"

	"github.com/ckpt-dev/ckpt/format"
)

// Graph is the object graph of a checkpoint. (TensorFlow: TrackableObjectGraph)
type Graph struct {
	Nodes  []GraphNode // node 0 is the root
	routes routes
}

// GraphNode is an object as the checkpoint has it. (TensorFlow: TrackableObject)
type GraphNode struct {
	Children   []Edge // (TensorFlow: CheckpointView.children)
	Attributes []StoredTensor
	Slots      []StoredSlot
	Saver      string // the registered saver that wrote the object's own files; "" for none
	HasValues  bool   // the node or one it leads to has tensors
}

// Edge is a named way from one node to another. (TensorFlow: ObjectReference)
type Edge struct {
	Name string
	Node int
}

// StoredTensor is a tensor of a node. (TensorFlow: SerializedTensor)
type StoredTensor struct {
	Name     string // of the object's, "VARIABLE_VALUE"
	FullName string // TensorFlow's name of the variable
	Key      string // of the checkpoint's; need not be stored
}

// StoredSlot says that a node keeps another as slot of a variable.
// (TensorFlow: SlotVariableReference)
type StoredSlot struct {
	Name     string
	Variable int // node of the variable
	Node     int // node of the slot
}

// ReadGraph reads the object graph of a checkpoint. A checkpoint without one
// is an error that wraps format.ErrNoTensor; a graph that is not valid, one
// that wraps format.ErrCorrupt.
func ReadGraph(src format.Source) (*Graph, error) {
	t, err := src.Tensor(GraphKey)
	if err != nil {
		return nil, fmt.Errorf("object graph: %w", err)
	}
	elems, err := t.Strings()
	if err != nil || len(elems) != 1 {
		return nil, badGraph("is %v %v, not one string", t.DType(), t.Shape())
	}
	return parseGraph([]byte(elems[0]))
}

func badGraph(reason string, args ...any) error {
	return fmt.Errorf("object graph: %s: %w", fmt.Sprintf(reason, args...), format.ErrCorrupt)
}

// Path returns the first, shortest path to a node: "(root).dense.kernel", or
// "(root).optimizer's state 'm' for (root).dense.kernel".
func (g *Graph) Path(id int) string { return g.routes.path(id) }

// Visit is one step of Walk.
type Visit struct {
	Node  int
	Name  string // of the edge Walk came by; "" at the root
	Depth int    // edges between the root and Node
}

// Walk yields each node that edges lead to once, parents before children,
// under the parent and name of its first path: the graph as a tree. Edges that
// are not in it, and slots, are in Nodes.
func (g *Graph) Walk() iter.Seq[Visit] {
	return func(yield func(Visit) bool) {
		seen := make([]bool, len(g.Nodes)) // an edge may be there twice
		stack := []Visit{{}}
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if !yield(v) {
				return
			}
			children := g.Nodes[v.Node].Children
			for i := len(children) - 1; i >= 0; i-- {
				if c := children[i]; g.leads(v.Node, c) && !seen[c.Node] {
					seen[c.Node] = true
					stack = append(stack, Visit{c.Node, c.Name, v.Depth + 1})
				}
			}
		}
	}
}

// leads reports whether the first path to c.Node is by this edge.
func (g *Graph) leads(from int, c Edge) bool {
	r := g.routes[c.Node]
	return r.owner == noOwner && r.parent == from && r.name == c.Name
}

// link checks that every reference leads to a node and finds the routes, in
// the order TensorFlow numbers: breadth first, slots last.
func (g *Graph) link() error {
	if len(g.Nodes) == 0 {
		return badGraph("has no nodes")
	}
	for i := range g.Nodes {
		if err := g.checkNode(i); err != nil {
			return err
		}
	}
	g.findRoutes()
	g.findValues()
	return nil
}

func (g *Graph) checkNode(i int) error {
	outside := func(id int) bool { return id < 0 || id >= len(g.Nodes) }
	for _, c := range g.Nodes[i].Children {
		if outside(c.Node) {
			return badGraph("node %d: child %q is node %d of %d", i, c.Name, c.Node, len(g.Nodes))
		}
	}
	for _, s := range g.Nodes[i].Slots {
		if outside(s.Variable) || outside(s.Node) {
			return badGraph("node %d: slot %q is node %d, of node %d, of %d", i, s.Name, s.Node, s.Variable, len(g.Nodes))
		}
	}
	return nil
}

func (g *Graph) findRoutes() {
	g.routes = make(routes, len(g.Nodes))
	for i := range g.routes {
		g.routes[i] = route{parent: notReached, owner: noOwner}
	}
	g.routes[0].parent = isRoot
	for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
		for _, c := range g.Nodes[queue[0]].Children {
			if g.routes[c.Node].parent == notReached {
				g.routes[c.Node] = route{queue[0], noOwner, c.Name}
				queue = append(queue, c.Node)
			}
		}
	}
	g.routeSlots()
}

// routeSlots gives slots their route. Their variable and owner must be reached
// by edges, or the path of a slot could lead through itself.
func (g *Graph) routeSlots() {
	byEdge := func(id int) bool { return g.routes[id].parent >= isRoot && g.routes[id].owner == noOwner }
	for owner := range g.Nodes {
		for _, s := range g.Nodes[owner].Slots {
			if g.routes[s.Node].parent == notReached && byEdge(owner) && byEdge(s.Variable) {
				g.routes[s.Node] = route{s.Variable, owner, s.Name}
			}
		}
	}
}

// findValues sets HasValues of every node, walking edges backwards from those
// that have tensors. Files from before 2022 do not say it themselves.
func (g *Graph) findValues() {
	parents := make([][]int, len(g.Nodes))
	var queue []int
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, c := range n.Children {
			parents[c.Node] = append(parents[c.Node], i)
		}
		if n.HasValues = n.ownsValues(); n.HasValues {
			queue = append(queue, i)
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, p := range parents[queue[0]] {
			if !g.Nodes[p].HasValues {
				g.Nodes[p].HasValues = true
				queue = append(queue, p)
			}
		}
	}
}

func (n *GraphNode) ownsValues() bool {
	return len(n.Attributes) > 0 || len(n.Slots) > 0 || n.Saver != ""
}
