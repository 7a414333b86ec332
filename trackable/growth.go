package trackable

import "reflect"

// grower is an object that can make children that a checkpoint has values for:
// a Go struct with nil pointers.
type grower interface {
	// grow returns objects for the names it can. What it allocates is
	// attached to the live values only by the growth's commit.
	grow(absent []Edge, g *growth) map[string]Object
}

// growth is what a pass allocated, and how to attach it once all is verified.
type growth struct {
	made    map[place]reflect.Value
	commits []func()
}

func (g *growth) commit() {
	for _, f := range g.commits {
		f()
	}
}

// make returns the value that will be stored at p, of pointer or slice type.
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
