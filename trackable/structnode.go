package trackable

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// The objects of Go values. All are comparable by the place of their value.
type (
	structNode struct{ at place }
	mapNode    struct{ at place }
	listNode   struct{ at place }
)

func (n structNode) where() place { return n.at }
func (n mapNode) where() place    { return n.at }
func (n listNode) where() place   { return n.at }
func (n leafNode) where() place   { return n.at }
func (n tensorNode) where() place { return n.at }

// where is nil of a State of the caller's, which is no place in a Go value.
func (s state) where() place {
	if g, ok := s.codec.(goState); ok {
		return g.at
	}
	return nil
}

// maxMapDepth bounds maps whose values are maps, each with a struct between
// them: a graph from a file may nest them without end.
const maxMapDepth = 100

// objectAt returns the object of the value at p; nil if it is not there: a nil
// pointer, a nil interface. With g it makes what nil pointers lead to, or takes
// the object that the checkpoint's is already.
func objectAt(p place, g *growth, have Object) Object {
	for {
		v := p.value()
		if v.Kind() != reflect.Pointer {
			return plainObject(p, v)
		}
		if v.IsNil() {
			if g == nil {
				return nil
			}
			v = g.fill(p, v, have)
		}
		if o, ok := v.Interface().(Object); ok {
			return o
		}
		p = addressOf(v.Elem())
	}
}

func plainObject(p place, v reflect.Value) Object {
	switch kindOf(v.Type()) {
	case kindObject:
		return ownObject(v)
	case kindState:
		return state{goState{p}}
	case kindTensor:
		return tensorNode{p}
	case kindLeaf:
		return leafNode{p}
	case kindStruct:
		return structNode{p}
	case kindMap:
		return mapNode{p}
	case kindList:
		return listNode{p}
	}
	return nil
}

// ownObject returns the Object that v or its address is; nil for a nil interface.
func ownObject(v reflect.Value) Object {
	if v.CanAddr() {
		if o, ok := v.Addr().Interface().(Object); ok {
			return o
		}
	}
	o, _ := v.Interface().(Object)
	if isNil(o) {
		return nil
	}
	return o
}

// fields of a struct that was checked by Struct: they have no errors.
func (n structNode) fields() (reflect.Value, []structField) {
	v := n.at.value()
	fields, _ := fieldsOf(v.Type(), "")
	return v, fields
}

// fieldAt follows a field's index through embedded pointers; nil if one is nil
// and there is no g to make it with.
func (n structNode) fieldAt(v reflect.Value, index []int, g *growth) place {
	at, from := n.at, 0
	for i := range index[:len(index)-1] {
		next := v.FieldByIndex(index[from : i+1])
		if next.Kind() != reflect.Pointer {
			continue
		}
		p := fieldPlace(at, v, index[from:i+1])
		if next.IsNil() {
			if g == nil {
				return nil
			}
			next = g.fill(p, next, nil)
		}
		v, at, from = next.Elem(), addressOf(next.Elem()), i+1
	}
	return fieldPlace(at, v, index[from:])
}

func (n structNode) TrackableChildren() []Child {
	v, fields := n.fields()
	var children []Child
	for _, f := range fields {
		if p := n.fieldAt(v, f.index, nil); p != nil {
			if o := objectAt(p, nil, nil); o != nil {
				children = append(children, Child{f.name, o})
			}
		}
	}
	return children
}

func (n structNode) grow(absent []Edge, g *growth) {
	v, fields := n.fields()
	byName := make(map[string]structField, len(fields))
	for _, f := range fields {
		byName[f.name] = f
	}
	for _, e := range absent {
		if f, ok := byName[e.Name]; ok {
			g.child(e, n.fieldAt(v, f.index, g))
		}
	}
}

func (n mapNode) TrackableChildren() []Child {
	var keys []string
	for _, k := range n.at.value().MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	var children []Child
	for _, k := range keys {
		if o := objectAt(entry{n.at, k}, nil, nil); o != nil {
			children = append(children, Child{k, o})
		}
	}
	return children
}

func (n mapNode) grow(absent []Edge, g *growth) {
	if depth(n.at) >= maxMapDepth {
		return
	}
	for _, e := range absent {
		g.child(e, entry{n.at, e.Name})
	}
}

func (n listNode) TrackableChildren() []Child {
	v := n.at.value()
	var children []Child
	for i := range v.Len() {
		if o := objectAt(elementPlace(n.at, v, i), nil, nil); o != nil {
			children = append(children, Child{strconv.Itoa(i), o})
		}
	}
	return children
}

// grow fills nil pointers of the list, and makes a list that is nil.
func (n listNode) grow(absent []Edge, g *growth) {
	at, v := n.at, n.at.value()
	if v.Kind() == reflect.Slice && v.IsNil() {
		length := stretch(absent)
		v = g.make(at, func() reflect.Value { return reflect.MakeSlice(v.Type(), length, length) })
	}
	for _, e := range absent {
		if i, ok := listIndex(e.Name); ok && i < v.Len() {
			g.child(e, elementPlace(at, v, i))
		}
	}
}

// stretch returns the length of a list that was saved with these elements:
// values and, between them, nil pointers. A name alone must not make memory,
// so a list with far more holes than elements ends before them.
func stretch(elements []Edge) int {
	present := make(map[int]bool)
	for _, e := range elements {
		if i, ok := listIndex(e.Name); ok {
			present[i] = true
		}
	}
	length := 0
	for n, i := range slices.Sorted(maps.Keys(present)) {
		if i > 4*n+16 {
			break
		}
		length = i + 1
	}
	return length
}

// listIndex parses the name of a list's element.
func listIndex(name string) (int, bool) {
	i, err := strconv.Atoi(name)
	return i, err == nil && i >= 0 && strconv.Itoa(i) == name
}
