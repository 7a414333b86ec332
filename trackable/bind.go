package trackable

import (
	"fmt"
	"maps"
	"slices"
)

// pass binds stored nodes to objects, starting at one pair, and restores them:
// the whole of Restore, or what Node.Track set free. If it fails it leaves the
// restoration as it was.
type pass struct {
	r        *restoration
	attached []Child
	awaits   map[string]bool // the names of those
	newer    map[Object]bool // restored by a newer Restore in the same Track
	agree    func() error    // nil, or asked before anything is changed
	whole    bool            // the restore's first, of all that is there

	rootEdges    map[string]int  // the stored root's children, once they are asked for
	order        []int           // nodes bound by this pass
	planned      map[Object]bool // objects that got the tensors of one
	children     map[Object]map[string]Object
	slots        map[Object]map[awaited]Object // by owner; nil: it cannot make it yet
	growth       growth
	parked       []parked
	tasks        []*task
	unused       []unusedTensor
	unstored     []int
	skipped      MismatchError
	skippedNodes []int
	clash        conflicts
}

func (r *restoration) newPass(newer map[Object]bool) *pass {
	p := &pass{
		r: r, newer: newer,
		children: make(map[Object]map[string]Object),
		slots:    make(map[Object]map[awaited]Object),
		planned:  make(map[Object]bool),
	}
	p.growth.pass = p
	return p
}

// runFirst is the pass that a restore begins with.
func (p *pass) runFirst(root Object, o *RestoreOptions) (*LoadStatus, error) {
	p.attached, p.whole = o.Attached, true
	p.awaits = make(map[string]bool, len(o.Attached))
	for _, c := range o.Attached {
		p.awaits[c.Name] = true
	}
	p.r.memory = memoryOf(root)
	s := &LoadStatus{r: p.r, root: root, attached: o.Attached}
	if o.MatchExisting {
		p.agree = func() error { return s.existingMatched(p.unstored, p.skippedNodes) }
	}
	if err := p.run(0, root); err != nil {
		return nil, err
	}
	return s, nil
}

// run binds node to o, follows the edges both have, and restores what it found.
func (p *pass) run(node int, o Object) error {
	err := p.bindAll(node, o)
	if err == nil {
		err = p.restore()
	}
	if err != nil {
		p.r.unbind(p.order)
		return err
	}
	p.finish()
	return nil
}

func (p *pass) bindAll(node int, o Object) error {
	if err := checkObject(o); err != nil {
		return fmt.Errorf("%s: %w", p.r.graph.Path(node), err)
	}
	p.bind(node, o)
	for i := 0; ; {
		switch {
		case i < len(p.order):
			if err := p.visit(p.order[i]); err != nil {
				return err
			}
			i++
		case len(p.attached) > 0:
			c := p.attached[0]
			p.attached = p.attached[1:]
			if err := p.bindAttached(c); err != nil {
				return err
			}
		case !p.growth.next():
			return nil
		}
	}
}

// bindAttached binds an attached child after all that the root itself leads to
// (checkpoint/checkpoint.py, TrackableSaver.restore).
func (p *pass) bindAttached(c Child) error {
	if err := checkObject(c.Object); err != nil {
		return fmt.Errorf("(root).%s: %w", c.Name, err)
	}
	if p.rootEdges == nil { // looked up once: both sides may have 100,000
		p.rootEdges = make(map[string]int, len(p.attached))
		for _, e := range slices.Backward(p.r.graph.Nodes[0].Children) { // of two the first counts
			p.rootEdges[e.Name] = e.Node
		}
	}
	if node, ok := p.rootEdges[c.Name]; ok {
		p.bind(node, c.Object)
	}
	return nil
}

// bind makes o the object of a node. The first object wins; a second one is
// left without a value, which the assertions tell.
func (p *pass) bind(node int, o Object) {
	switch have := p.r.bound[node]; have {
	case nil:
		p.r.bound[node] = o
		p.order = append(p.order, node)
	case o:
	default:
		p.clash.add(func() string { return inconsistent(p.r.graph, node) })
	}
}

// visit binds what a bound node leads to, by edges and by slots.
func (p *pass) visit(node int) error {
	o := p.r.bound[node]
	locals, err := p.childrenOf(node, o)
	if err != nil {
		return err
	}
	var absent []Edge
	for _, e := range p.r.graph.Nodes[node].Children {
		if c, ok := locals[e.Name]; ok {
			p.bind(e.Node, c)
		} else if node == 0 && p.awaits[e.Name] {
			continue // its turn comes
		} else if p.r.graph.Nodes[e.Node].HasValues {
			absent = append(absent, e)
		}
	}
	p.absent(o, absent)
	return p.visitSlots(node)
}

// absent deals with edges to values that have no object: a Go struct grows
// one, a Node waits.
func (p *pass) absent(o Object, edges []Edge) {
	if len(edges) == 0 {
		return
	}
	if g, ok := o.(grower); ok {
		p.growth.waiting = append(p.growth.waiting, growing{g, edges})
		return
	}
	if n := nodeOf(o); n != nil {
		for _, e := range edges {
			p.parked = append(p.parked, parked{n, awaited{name: e.Name}, waiting{p.r, e.Node}})
		}
	}
}

// childrenOf returns an object's children by name. It asks each object once:
// a graph from a file may lead to one object a million times.
func (p *pass) childrenOf(node int, o Object) (map[string]Object, error) {
	if have, ok := p.children[o]; ok {
		return have, nil
	}
	locals := make(map[string]Object)
	for _, c := range o.TrackableChildren() {
		if err := checkObject(c.Object); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", p.r.graph.Path(node), c.Name, err)
		}
		if locals[c.Name] == nil {
			locals[c.Name] = c.Object
		}
	}
	p.children[o] = locals
	return locals, nil
}

// finish makes the pass last: values are in place, the rest may wait.
func (p *pass) finish() {
	r := p.r
	p.growth.commit()
	for _, id := range p.order {
		r.remember(r.bound[id])
		if p.newer != nil {
			p.newer[r.bound[id]] = true
		}
	}
	p.keepReport()
	for _, w := range p.parked {
		w.at.wait(w.what, w.waiting)
	}
	r.unused = append(r.unused, p.unused...)
	r.unstored = append(r.unstored, p.unstored...)
	r.conflicts.n += p.clash.n
	r.conflicts.first = append(r.conflicts.first, p.clash.first...)
	if len(r.conflicts.first) > maxListed {
		r.conflicts.first = r.conflicts.first[:maxListed]
	}
}

// keepReport adds to the restoration's report what the pass restored, converted
// and skipped.
func (p *pass) keepReport() {
	r := p.r
	maps.Copy(r.restored, p.planned)
	for _, t := range p.tasks {
		for _, name := range slices.Sorted(maps.Keys(t.cast)) {
			r.converted.add(func() *Mismatch { return p.mismatch(t, t.cast[name]) })
		}
	}
	for _, m := range p.skipped.Mismatches {
		r.skipped.add(func() *Mismatch { return m })
	}
	r.skipped.Omitted += p.skipped.Omitted
	r.skippedAt = append(r.skippedAt, p.skippedNodes...)
}
