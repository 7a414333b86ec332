package trackable

import (
	"fmt"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
)

// RestoreByName restores from a checkpoint without an object graph, such as
// TensorFlow 1 and other formats write: each tensor that has a FullName gets
// what is stored under that name. rename, if not nil, turns a FullName into
// the checkpoint's; "" leaves the tensor alone. Everything else is as Restore
// does it, but that what the checkpoint holds besides is not looked at:
// AssertConsumed and AssertNontrivialMatch are AssertExistingObjectsMatched.
// Of what is tracked later in a Node that is restored now, only the very object
// is restored, and not what it leads to by then.
// (TensorFlow: NameBasedSaverStatus)
func RestoreByName(root Object, src format.Source, rename func(string) string, o *RestoreOptions) (*LoadStatus, error) {
	if o == nil {
		o = new(RestoreOptions)
	}
	v, err := newView(root, o.Attached, !o.SkipSlotVariables)
	if err != nil {
		return nil, err
	}
	if rename == nil {
		rename = func(name string) string { return name }
	}
	n := &byName{src: src, rename: rename, o: o}
	without, err := n.match(v)
	if err != nil {
		return nil, err
	}
	n.r = n.restoration(v)
	n.r.uid = lastUID.Add(1)
	s, err := n.restore(root, without)
	if err != nil {
		return nil, err
	}
	for _, o := range v.objects {
		n.waitIn(o)
	}
	n.r.memory.waits++ // for ever: nothing tells when the last was tracked
	return s, nil
}

// byName is one restore by names. It makes up the graph that the checkpoint
// would have if it held just the tensors that match.
type byName struct {
	src    format.Source
	rename func(string) string
	o      *RestoreOptions
	r      *restoration
}

// restoration returns that of the graph made up of a view's matches.
func (n *byName) restoration(v *view) *restoration {
	g := &Graph{Nodes: v.nodes, routes: v.routes}
	g.findValues()
	return newRestoration(n.src, g, n.o)
}

func (n *byName) restore(root Object, without []int) (*LoadStatus, error) {
	p := n.r.newPass(nil)
	for _, id := range without {
		if !n.r.isOptional(id) {
			p.unstored = append(p.unstored, id)
		}
	}
	s, err := p.runFirst(root, n.o)
	if err != nil {
		return nil, err
	}
	s.byName = true
	return s, nil
}

// match finds the tensors of a view's objects, and the nodes that own one
// that is not stored.
func (n *byName) match(v *view) (without []int, err error) {
	for id, o := range v.objects {
		s, ok := o.(Saveable)
		if !ok {
			continue
		}
		names, err := fullNames(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.routes.path(id), err)
		}
		found, err := n.stored(names)
		if err != nil {
			return nil, err
		}
		// An object takes all of its tensors or none.
		if len(found) == len(names) {
			v.nodes[id].Attributes = found
		} else {
			without = append(without, id)
		}
	}
	return without, nil
}

// fullNames lists an object's tensors without holding on to them. A variable
// that has no value yet cannot be serialized and still has a name.
func fullNames(s Saveable) ([]StoredTensor, error) {
	if only, ok := onlyAttribute(s); ok {
		return []StoredTensor{{Name: only.Name, FullName: only.FullName}}, nil
	}
	attributes, err := s.SerializeToTensors()
	if err != nil {
		return nil, err
	}
	var names []StoredTensor
	for _, a := range attributes {
		names = append(names, StoredTensor{Name: escape(a.Name), FullName: a.FullName})
	}
	return names, nil
}

// stored returns those of an object's tensors that the checkpoint has.
func (n *byName) stored(names []StoredTensor) ([]StoredTensor, error) {
	var found []StoredTensor
	for _, t := range names {
		if t.FullName != "" {
			t.Key = n.rename(t.FullName)
		}
		has, err := n.has(t.Key)
		if err != nil {
			return nil, err
		}
		if has {
			found = append(found, t)
		}
	}
	return found, nil
}

func (n *byName) has(key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	_, err := n.src.Info(key)
	if isNoTensor(err) {
		return false, nil
	}
	return err == nil, err
}

// waitIn has what is tracked in o later restored by name, too.
func (n *byName) waitIn(o Object) {
	if at := nodeOf(o); at != nil && !slices.Contains(at.byName, n) {
		at.byName = append(at.byName, n)
	}
}

// runByName restores an object that is tracked after restores by names, by the
// newest last (trackable/base.py, _name_based_attribute_restore).
func (n *Node) runByName(name string, o Object) {
	for _, b := range n.byName {
		if err := b.late(o); err != nil {
			b.r.errs = append(b.r.errs, fmt.Errorf("deferred restore of %s: %w", name, err))
		}
		b.waitIn(o)
	}
}

// late restores one object, unless this restore or a later one has had it.
func (n *byName) late(o Object) error {
	if n.r.uidOf(o) >= n.r.uid || n.r.restored[o] {
		return nil
	}
	v := &view{ids: make(map[Object]int)}
	v.add(o, route{isRoot, noOwner, ""})
	without, err := n.match(v)
	if err != nil || len(without) > 0 {
		n.r.restored[o] = false // tried
		return err
	}
	r := n.restoration(v)
	r.uid, r.memory = n.r.uid, n.r.memory
	if err := r.newPass(nil).run(0, o); err != nil {
		return err
	}
	n.r.restored[o] = true
	return nil
}
