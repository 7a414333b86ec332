package trackable

import "reflect"

// grower is an object that can make children that a checkpoint has values for:
// a Go struct with nil pointers.
type grower interface {
	// grow calls g.child for the edges whose place it knows.
	grow(absent []Edge, g *growth)
}

// growth is what a pass allocated, and how to attach it once all is verified:
// until then no live value points to it.
type growth struct {
	pass    *pass
	waiting []growing
	made    map[place]reflect.Value
	commits []func()
}

// growing are edges that have no object yet. They wait until all objects that
// are there are bound: what two pointers shared when saved, they share again.
type growing struct {
	parent grower
	edges  []Edge
}

// next grows the edges that have waited longest, and reports whether there
// were any.
func (g *growth) next() bool {
	if len(g.waiting) == 0 {
		return false
	}
	w := g.waiting[0]
	g.waiting = g.waiting[1:]
	w.parent.grow(w.edges, g)
	return true
}

// child binds an edge's node to the object at p, making what pointers on the
// way lead to.
func (g *growth) child(e Edge, p place) {
	if o := objectAt(p, g, g.pass.r.bound[e.Node]); o != nil {
		g.pass.bind(e.Node, o)
	}
}

// fill returns what the nil pointer v at p will point to: the object that the
// stored one is already, if it is of the type, or a fresh value.
func (g *growth) fill(p place, v reflect.Value, have Object) reflect.Value {
	if ptr := pointerOf(have); ptr.IsValid() && ptr.Type().ConvertibleTo(v.Type()) && ptr.Type().Elem() == v.Type().Elem() {
		return g.make(p, func() reflect.Value { return ptr.Convert(v.Type()) })
	}
	return g.make(p, func() reflect.Value { return reflect.New(v.Type().Elem()).Convert(v.Type()) })
}

// make returns the value that will be stored at p.
func (g *growth) make(p place, fresh func() reflect.Value) reflect.Value {
	if v, ok := g.made[p]; ok {
		return v
	}
	v := fresh()
	if g.made == nil {
		g.made = make(map[place]reflect.Value)
	}
	g.made[p] = v
	g.commits = append(g.commits, func() { p.store(v) })
	return v
}

func (g *growth) commit() {
	for _, f := range g.commits {
		f()
	}
}

// pointerOf returns the pointer to the Go value that an object is of, or the
// pointer that it is; the zero Value if there is none.
func pointerOf(o Object) reflect.Value {
	if n, ok := o.(interface{ where() place }); ok {
		if a, ok := n.where().(address); ok {
			return reflect.ValueOf(a.p)
		}
		return reflect.Value{}
	}
	if v := reflect.ValueOf(o); v.Kind() == reflect.Pointer {
		return v
	}
	return reflect.Value{}
}
