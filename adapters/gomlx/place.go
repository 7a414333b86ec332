package gomlx

import (
	"cmp"
	"slices"

	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// place is a path in the store: a scope, a variable, or both. A place stays
// when what was there is deleted, for restores may wait in its Node.
type place struct {
	trackable.Node
	below map[string]*place

	variable  *model.Variable  // nil: a scope, or a variable not created yet
	tracked   trackable.Object // what the place above has an edge to
	announced bool             // a restore has a value for the variable to be created
	loaded    *tensors.Tensor  // that value
}

// TrackableChildren lists the edges sorted by name: the order in which GoMLX
// creates variables is not the same when it restores some.
func (p *place) TrackableChildren() []trackable.Child {
	children := p.Node.TrackableChildren()
	slices.SortFunc(children, func(a, b trackable.Child) int { return cmp.Compare(a.Name, b.Name) })
	return children
}

// child returns the place one segment further, which it makes where there is
// none, without an edge to it.
func (p *place) child(name string) *place {
	if c, ok := p.below[name]; ok {
		return c
	}
	if p.below == nil {
		p.below = make(map[string]*place)
	}
	c := new(place)
	p.below[name] = c
	return c
}

// clear forgets the variables of a place and of all below.
func (p *place) clear() {
	p.variable = nil
	for _, c := range p.below {
		c.clear()
	}
}

// link gives edges to the places that have a variable or lead to one, and
// takes them from all others. It reports whether p is one of the former.
func (p *place) link() bool {
	found := p.variable != nil
	for name, c := range p.below {
		if c.link() {
			found = true
			p.track(name, c.object())
		} else {
			p.untrack(name)
		}
	}
	return found
}

// object returns what the place is in the graph.
func (p *place) object() trackable.Object {
	if p.variable != nil {
		return variable{p}
	}
	return p
}

func (p *place) track(name string, o trackable.Object) {
	c := p.below[name]
	if c.tracked != o {
		c.tracked = o
		p.Track(name, o)
	}
}

func (p *place) untrack(name string) {
	c := p.below[name]
	if c.tracked != nil {
		c.tracked = nil
		p.Untrack(name)
	}
}
