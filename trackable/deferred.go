package trackable

import (
	"fmt"
	"slices"
)

// waiting is a stored node that waits for its object. (TensorFlow:
// CheckpointPosition in Trackable._deferred_dependencies)
type waiting struct {
	r    *restoration
	node int
}

func (n *Node) wait(name string, w waiting) {
	if n.waiting == nil {
		n.waiting = make(map[string][]waiting)
	}
	n.waiting[name] = append(n.waiting[name], w)
}

// runWaiting restores what waited under a name, the newest first; older ones
// then leave alone what a newer one has restored.
func (n *Node) runWaiting(name string, o Object) {
	list := n.waiting[name]
	if len(list) == 0 || isNil(o) {
		return
	}
	delete(n.waiting, name)
	slices.SortStableFunc(list, func(a, b waiting) int { return int(b.r.uid - a.r.uid) })
	newer := make(map[Object]bool)
	for _, w := range list {
		if err := w.r.newPass(newer).run(w.node, o); err != nil {
			w.r.errs = append(w.r.errs, fmt.Errorf("deferred restore: %w", err))
		}
	}
}
