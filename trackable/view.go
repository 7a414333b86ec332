package trackable

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// view is the graph of live objects, numbered as TensorFlow numbers it
// (checkpoint/trackable_view.py): breadth first along the edges, and then the
// slots.
type view struct {
	objects []Object
	ids     map[Object]int
	nodes   []GraphNode // children and slots only
	routes  routes
}

// newView walks the objects that root and the attached edges lead to.
func newView(root Object, attached []Child, withSlots bool) (*view, error) {
	v := &view{ids: make(map[Object]int)}
	if err := checkObject(root); err != nil {
		return nil, fmt.Errorf("(root): %w", err)
	}
	v.add(root, route{isRoot, noOwner, ""})
	for id := 0; id < len(v.objects); id++ {
		children := v.objects[id].TrackableChildren()
		if id == 0 {
			var err error
			if children, err = attach(children, attached); err != nil {
				return nil, err
			}
		}
		if err := v.addChildren(id, children); err != nil {
			return nil, err
		}
	}
	if !withSlots {
		return v, nil
	}
	return v, v.addSlots()
}

// attach appends to the root's own edges those that only one checkpoint sees
// (checkpoint/graph_view.py). An edge the root has itself is not repeated.
func attach(own, attached []Child) ([]Child, error) {
	if len(attached) == 0 {
		return own, nil
	}
	have := make(map[string]Object, len(own))
	for _, c := range own {
		have[c.Name] = c.Object
	}
	all := own[:len(own):len(own)]
	for _, c := range attached {
		o, ok := have[c.Name]
		switch {
		case !ok:
			all = append(all, c)
		case !same(o, c.Object):
			return nil, fmt.Errorf("(root).%s: already exists as another object", c.Name)
		}
	}
	return all, nil
}

func (v *view) add(o Object, r route) int {
	id := len(v.objects)
	v.ids[o] = id
	v.objects = append(v.objects, o)
	v.nodes = append(v.nodes, GraphNode{})
	v.routes = append(v.routes, r)
	return id
}

// grow makes room for n objects more. A list of 100,000 would else leave behind
// several times the memory it takes, while all that the program has is a model,
// of which the collector thinks that it can wait.
func (v *view) grow(n int) {
	v.objects, v.nodes, v.routes = slices.Grow(v.objects, n), slices.Grow(v.nodes, n), slices.Grow(v.routes, n)
	if n > 2*len(v.ids) {
		grown := make(map[Object]int, len(v.ids)+n)
		maps.Copy(grown, v.ids)
		v.ids = grown
	}
}

func (v *view) addChildren(parent int, children []Child) error {
	edges := make([]Edge, 0, len(children))
	v.grow(len(children))
	for _, c := range children {
		if err := checkObject(c.Object); err != nil {
			return fmt.Errorf("%s.%s: %w", v.routes.path(parent), c.Name, err)
		}
		id, ok := v.ids[c.Object]
		if !ok {
			id = v.add(c.Object, route{parent, noOwner, c.Name})
		}
		edges = append(edges, Edge{c.Name, id})
	}
	v.nodes[parent].Children = edges
	return nil
}

// addSlots numbers the slots: by owner, by name in order of first appearance,
// by variable (checkpoint/util.py, serialize_slot_variables). Slots of
// variables that nothing leads to are left out.
func (v *view) addSlots() error {
	for id, n := 0, len(v.objects); id < n; id++ {
		owner, ok := v.objects[id].(SlotOwner)
		if !ok {
			continue
		}
		names, values, err := v.slotsOf(id, owner)
		if err != nil {
			return err
		}
		for _, name := range names {
			for variable := range n {
				if value, ok := values[slotKey{variable, name}]; ok {
					if err := v.addSlot(id, variable, name, value); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

type slotKey struct {
	variable int
	name     string
}

func (v *view) slotsOf(id int, owner SlotOwner) (names []string, values map[slotKey]Object, err error) {
	values = make(map[slotKey]Object)
	seen := make(map[string]bool)
	for _, s := range owner.Slots() {
		if !seen[s.Name] {
			seen[s.Name] = true
			names = append(names, s.Name)
		}
		if err := checkObject(s.Variable); err != nil {
			return nil, nil, fmt.Errorf("%s: slot %q: variable: %w", v.routes.path(id), s.Name, err)
		}
		variable, ok := v.ids[s.Variable]
		if !ok || s.Value == nil {
			continue
		}
		k := slotKey{variable, s.Name}
		if _, twice := values[k]; twice {
			return nil, nil, fmt.Errorf("%s: slot %q of %s: listed twice", v.routes.path(id), s.Name, v.routes.path(variable))
		}
		values[k] = s.Value
	}
	return names, values, nil
}

// addSlot refuses what TensorFlow refuses: a slot that has children, or that
// the graph has already, as somebody's child or another's slot.
func (v *view) addSlot(owner, variable int, name string, value Object) error {
	r := route{variable, owner, name}
	err := checkObject(value)
	if err == nil {
		_, have := v.ids[value]
		switch {
		case have:
			err = errors.New("is in the graph by another way too")
		case len(value.TrackableChildren()) > 0:
			err = errors.New("has children, which a slot cannot")
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", routes(append(v.routes[:len(v.routes):len(v.routes)], r)).path(len(v.routes)), err)
	}
	id := v.add(value, r)
	v.nodes[owner].Slots = append(v.nodes[owner].Slots, StoredSlot{name, variable, id})
	return nil
}
