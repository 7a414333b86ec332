package trackable

import "slices"

// Node gives a type children by name: embed it, and use the type by pointer.
// Fields of the type are no children by themselves: what Track was not called
// for is not saved. (Struct is for saving fields as they are.) Restores wait in
// the Node for children that are tracked later. Its zero value has no children.
// (TensorFlow: AutoTrackable)
type Node struct {
	lastRestore
	children []Child
	index    map[string]int
	waiting  map[awaited][]waiting
	memory   *memory   // of the restores that began here
	byName   []*byName // restores that what comes later is part of
}

// holder is an object that embeds Node: one that restores can wait in.
type holder interface{ node() *Node }

func (n *Node) node() *Node { return n }

// nodeOf returns the Node that o embeds, or nil.
func nodeOf(o Object) *Node {
	if h, ok := o.(holder); ok {
		return h.node()
	}
	return nil
}

// Track adds an edge, or points an existing one, which keeps its place, to
// another object. What a checkpoint that was restored earlier holds for o and
// for what it leads to is restored now, the newest checkpoint's first; what
// goes wrong is told by that restore's LoadStatus.
// (TensorFlow: _track_trackable, restore on create)
func (n *Node) Track(name string, o Object) *Node {
	n.set(name, o)
	n.runWaiting(awaited{name: name}, o)
	if checkObject(o) == nil {
		n.runByName(name, o)
	}
	return n
}

// Untrack removes an edge; tracked again, it is the last one.
func (n *Node) Untrack(name string) {
	i, ok := n.index[name]
	if !ok {
		return
	}
	n.children = slices.Delete(n.children, i, i+1)
	delete(n.index, name)
	for j := i; j < len(n.children); j++ {
		n.index[n.children[j].Name] = j
	}
}

// TrackableChildren lists the edges in the order they were first tracked.
func (n *Node) TrackableChildren() []Child { return slices.Clone(n.children) }

func (n *Node) set(name string, o Object) {
	if i, ok := n.index[name]; ok {
		n.children[i].Object = o
		return
	}
	if n.index == nil {
		n.index = make(map[string]int)
	}
	n.index[name] = len(n.children)
	n.children = append(n.children, Child{name, o})
}

// get returns the child of that name, or nil.
func (n *Node) get(name string) Object {
	if i, ok := n.index[name]; ok {
		return n.children[i].Object
	}
	return nil
}
