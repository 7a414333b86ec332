package trackable

import (
	"fmt"
	"slices"
)

// Descendants returns the nodes that edges lead to from the root, which comes
// first, breadth first. Slots are not among them: no edge leads there.
// (TensorFlow: CheckpointView.descendants)
func (g *Graph) Descendants() []int {
	ids := []int{0}
	seen := make([]bool, len(g.Nodes))
	seen[0] = true
	for i := 0; i < len(ids); i++ {
		for _, c := range g.Nodes[ids[i]].Children {
			if !seen[c.Node] {
				seen[c.Node] = true
				ids = append(ids, c.Node)
			}
		}
	}
	return ids
}

// Descendants returns the objects that root leads to, root first, breadth
// first; without slots. (TensorFlow: TrackableView.descendants)
func Descendants(root Object) ([]Object, error) {
	v, err := newView(root, nil, false)
	if err != nil {
		return nil, err
	}
	return v.objects, nil
}

// Match returns the object that each stored node would be restored into, found
// by following the edges that both sides have. The root is always matched;
// slots are not. (TensorFlow: CheckpointView.match)
func (g *Graph) Match(root Object) (map[int]Object, error) {
	d, err := g.Diff(root)
	if err != nil {
		return nil, err
	}
	return d.Matched, nil
}

// Difference is how the graph of a checkpoint differs from that of objects.
type Difference struct {
	Matched    map[int]Object // by stored node
	OnlyStored []int          // nodes that no object matches, breadth first
	OnlyHere   []Object       // objects that no node matches, breadth first
	// Conflicts says where one stored node would be two objects here; the
	// first has the node.
	Conflicts []string
}

// Diff compares the stored graph with the one root leads to, before or instead
// of restoring. (TensorFlow: CheckpointView.diff)
func (g *Graph) Diff(root Object) (*Difference, error) {
	v, err := newView(root, nil, false)
	if err != nil {
		return nil, err
	}
	d := &Difference{Matched: map[int]Object{0: root}}
	d.match(g, v)
	for _, id := range g.Descendants() {
		if d.Matched[id] == nil {
			d.OnlyStored = append(d.OnlyStored, id)
		}
	}
	here := make(map[Object]bool)
	for _, o := range d.Matched {
		here[o] = true
	}
	d.OnlyHere = slices.DeleteFunc(v.objects, func(o Object) bool { return here[o] })
	return d, nil
}

// match follows the edges of both sides, breadth first.
func (d *Difference) match(g *Graph, v *view) {
	children := make(map[Object]map[string]Object) // each made once: nodes can be many, and one object's
	for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
		parent := d.Matched[queue[0]]
		locals, ok := children[parent]
		if !ok {
			locals = v.childrenOf(parent)
			children[parent] = locals
		}
		for _, e := range g.Nodes[queue[0]].Children {
			o, ok := locals[e.Name]
			switch have := d.Matched[e.Node]; {
			case !ok:
			case have == nil:
				d.Matched[e.Node] = o
				queue = append(queue, e.Node)
			case have != o:
				d.conflict(g, e)
			}
		}
	}
}

// childrenOf returns an object's children by name.
func (v *view) childrenOf(o Object) map[string]Object {
	children := make(map[string]Object)
	for _, e := range v.nodes[v.ids[o]].Children {
		children[e.Name] = v.objects[e.Node]
	}
	return children
}

func (d *Difference) conflict(g *Graph, e Edge) {
	if len(d.Conflicts) < maxListed {
		d.Conflicts = append(d.Conflicts, inconsistent(g, e.Node))
	}
}

// inconsistent says what TensorFlow warns of (checkpoint/restore.py, bind_object).
func inconsistent(g *Graph, node int) string {
	return fmt.Sprintf("inconsistent references: %s is one object in the checkpoint and two here", g.Path(node))
}
