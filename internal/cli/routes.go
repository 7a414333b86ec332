package cli

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/trackable"
)

// routes says where each object of a graph stands in full in its drawing.
type routes struct {
	g     *trackable.Graph
	first []branch // of each node
	depth []int
	queue []int // the nodes reached, in order
}

// branch is an item of a node: its child or slot with that index.
type branch struct {
	node, item int
	slot       bool
}

// findRoutes goes through the graph breadth first; slots come after all
// children, as TensorFlow numbers them.
func findRoutes(g *trackable.Graph) *routes {
	r := &routes{g: g, first: make([]branch, len(g.Nodes)), depth: make([]int, len(g.Nodes)), queue: []int{0}}
	for i := range r.first {
		r.first[i].node = leaf
	}
	done := r.followChildren(0)
	for i := 0; i < len(r.queue); i++ {
		id := r.queue[i]
		for k, s := range g.Nodes[id].Slots {
			r.reach(s.Node, branch{id, k, true}, max(r.depth[id], r.depth[s.Variable]))
		}
		done = r.followChildren(done)
	}
	return r
}

// followChildren goes on with the queue from the index done.
func (r *routes) followChildren(done int) int {
	for ; done < len(r.queue); done++ {
		id := r.queue[done]
		for i, c := range r.g.Nodes[id].Children {
			r.reach(c.Node, branch{id, i, false}, r.depth[id])
		}
	}
	return done
}

func (r *routes) reach(to int, b branch, depth int) {
	if to == 0 || r.first[to].node != leaf {
		return
	}
	r.first[to], r.depth[to] = b, depth+1
	r.queue = append(r.queue, to)
}

// path returns the path of an object, or its number where that would be long:
// all paths of a damaged graph that is one chain have the square of its size.
func (r *routes) path(id int) string {
	if r.depth[id] > treeDepth {
		return fmt.Sprintf("(object %d)", id)
	}
	return r.g.Path(id)
}
