package trackable

import (
	"fmt"
	"strings"
)

// route is the last step of the first, shortest way to a node: by an edge
// from parent or, when owner is set, as the slot that owner keeps for parent.
type route struct {
	parent int // -1: the root, -2: not reached
	owner  int // -1: by an edge
	name   string
}

const (
	isRoot     = -1
	notReached = -2
	noOwner    = -1
)

// routes holds the route to each node. Whole paths are put together when they
// are asked for: together they can be as long as the square of the graph.
type routes []route

// names returns the edges from the root to a node that is no slot.
func (r routes) names(id int) []string {
	n := 0
	for i := id; r[i].parent >= 0; i = r[i].parent {
		n++
	}
	names := make([]string, n)
	for i := id; r[i].parent >= 0; i = r[i].parent {
		n--
		names[n] = r[i].name
	}
	return names
}

// key returns the object path that a node's keys begin with; the root's is
// empty (trackable/trackable_utils.py, object_path_to_string).
func (r routes) key(id int) string {
	if s := r[id]; s.owner != noOwner {
		return slotPath(r.key(s.parent), r.key(s.owner), s.name)
	}
	names := r.names(id)
	for i, name := range names {
		names[i] = escape(name)
	}
	return strings.Join(names, "/")
}

// path returns a node's path for people: (root).dense.kernel, or
// (root).optimizer's state 'm' for (root).dense.kernel.
func (r routes) path(id int) string {
	s := r[id]
	switch {
	case s.parent == notReached:
		return fmt.Sprintf("(node %d)", id)
	case s.owner != noOwner:
		return fmt.Sprintf("%s's state '%s' for %s", r.path(s.owner), s.name, r.path(s.parent))
	}
	return strings.Join(append([]string{"(root)"}, r.names(id)...), ".")
}
