package trackable

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
)

// RestoreByName restores from a checkpoint without an object graph, such as
// TensorFlow 1 and other formats write: each tensor that has a FullName gets
// what is stored under that name. rename, if not nil, turns a FullName into
// the checkpoint's; "" leaves the tensor alone. Everything else is as Restore
// does it, but that nothing waits for objects to come, and that what the
// checkpoint holds besides is not looked at: AssertConsumed is
// AssertExistingObjectsMatched. (TensorFlow: NameBasedSaverStatus)
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
	n := byName{view: v, src: src, rename: rename}
	if err := n.match(); err != nil {
		return nil, err
	}
	return n.restore(root, o)
}

// byName makes up the graph that the checkpoint would have if it held just the
// tensors that match.
type byName struct {
	*view
	src     format.Source
	rename  func(string) string
	without []int // nodes that own a tensor that is not stored
}

func (n *byName) match() error {
	for id, o := range n.objects {
		s, ok := o.(Saveable)
		if !ok {
			continue
		}
		names, err := fullNames(s)
		if err != nil {
			return fmt.Errorf("%s: %w", n.routes.path(id), err)
		}
		if err := n.matchNode(id, names); err != nil {
			return err
		}
	}
	return nil
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

func (n *byName) matchNode(id int, names []StoredTensor) error {
	var found []StoredTensor
	for _, t := range names {
		if t.FullName != "" {
			t.Key = n.rename(t.FullName)
		}
		has, err := n.has(t.Key)
		if err != nil {
			return err
		}
		if has {
			found = append(found, t)
		}
	}
	// An object takes all of its tensors or none.
	if len(found) == len(names) {
		n.nodes[id].Attributes = found
	} else {
		n.without = append(n.without, id)
	}
	return nil
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

func (n *byName) restore(root Object, o *RestoreOptions) (*LoadStatus, error) {
	g := &Graph{Nodes: n.nodes, routes: n.routes}
	g.findValues()
	r := newRestoration(n.src, g, o)
	r.uid = lastUID.Add(1)
	p := r.newPass(nil)
	for _, id := range n.without {
		if !r.isOptional(id) {
			p.unstored = append(p.unstored, id)
		}
	}
	return p.runFirst(root, o)
}
