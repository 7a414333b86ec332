package trackable

import (
	"cmp"
	"fmt"
	"slices"
)

// awaited names what restores wait in a Node for: a child or, when variable is
// set, the slot of that name for the variable.
type awaited struct {
	variable Object
	name     string
}

// waiting is a stored node that waits for its object. (TensorFlow:
// CheckpointPosition in Trackable._deferred_dependencies and
// _deferred_slot_restorations)
type waiting struct {
	r    *restoration
	node int
}

// parked is a restore that will wait in a Node, once its pass has succeeded.
type parked struct {
	at   *Node
	what awaited
	waiting
}

func (n *Node) wait(what awaited, w waiting) {
	if n.waiting == nil {
		n.waiting = make(map[awaited][]waiting)
	}
	n.waiting[what] = append(n.waiting[what], w)
	w.r.memory.waits++
}

// runWaiting restores what waited for o, the newest first; older ones then
// leave alone what a newer one has restored. They waited in the order of their
// passes, which need not be that of the restores.
func (n *Node) runWaiting(what awaited, o Object) {
	list := n.waiting[what]
	if len(list) == 0 || isNil(o) {
		return
	}
	delete(n.waiting, what)
	slices.SortStableFunc(list, func(a, b waiting) int { return cmp.Compare(b.r.uid, a.r.uid) })
	newer := make(map[Object]bool)
	for _, w := range list {
		if err := w.r.newPass(newer).run(w.node, o); err != nil {
			w.r.errs = append(w.r.errs, fmt.Errorf("deferred restore: %w", err))
		}
		w.r.memory.done()
	}
}
