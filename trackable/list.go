package trackable

import (
	"slices"
	"strconv"
)

// List is an Object whose children are numbered "0", "1" and so on. It only
// grows: TensorFlow's lists, too, cannot be saved after an element was
// replaced or removed. (TensorFlow: ListWrapper)
type List struct{ n Node }

// NewList returns a List of the given objects.
func NewList(objects ...Object) *List {
	l := new(List)
	for _, o := range objects {
		l.Append(o)
	}
	return l
}

// Append adds an object at the end, and restores what waited for it.
func (l *List) Append(o Object) { l.n.Track(strconv.Itoa(len(l.n.children)), o) }

// Len returns the number of objects.
func (l *List) Len() int { return len(l.n.children) }

// At returns object i.
func (l *List) At(i int) Object { return l.n.children[i].Object }

// TrackableChildren lists the objects in order.
func (l *List) TrackableChildren() []Child { return l.n.TrackableChildren() }

func (l *List) node() *Node        { return &l.n }
func (l *List) last() *lastRestore { return l.n.last() }

// Dict is an Object whose children have keys, kept in the order in which they
// were first set: TensorFlow does not sort a dict's keys.
// (TensorFlow: _DictWrapper)
type Dict struct{ n Node }

// NewDict returns an empty Dict.
func NewDict() *Dict { return new(Dict) }

// Set gives key an object, and restores what waited for it. A key that was
// set before keeps its place, even if it was deleted meanwhile
// (trackable/data_structures.py). It returns d.
func (d *Dict) Set(key string, o Object) *Dict {
	d.n.Track(key, o)
	return d
}

// Get returns the object of key, or nil.
func (d *Dict) Get(key string) Object {
	if o := d.n.get(key); o != (deleted{}) {
		return o
	}
	return nil
}

// Delete removes a key.
func (d *Dict) Delete(key string) {
	if i, ok := d.n.index[key]; ok {
		d.n.children[i].Object = deleted{}
	}
}

// TrackableChildren lists the objects by age of their keys.
func (d *Dict) TrackableChildren() []Child {
	return slices.DeleteFunc(d.n.TrackableChildren(), func(c Child) bool { return c.Object == (deleted{}) })
}

func (d *Dict) node() *Node        { return &d.n }
func (d *Dict) last() *lastRestore { return d.n.last() }

// deleted holds the place of a deleted key.
type deleted struct{}

func (deleted) TrackableChildren() []Child { return nil }
