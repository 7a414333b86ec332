package trackable

import "reflect"

// place is where a Go value lives. Places are comparable, and equal when they
// are the same place, which is what makes an object of a field the same object
// each time the struct is walked, with nothing remembered in between.
type place interface {
	value() reflect.Value // the zero Value's zero if it is not there yet
	store(reflect.Value)
}

// address is a value with an address: p is a pointer to it.
type address struct{ p any }

func (a address) value() reflect.Value  { return reflect.ValueOf(a.p).Elem() }
func (a address) store(v reflect.Value) { a.value().Set(v) }

// addressOf returns the place of an addressable value.
func addressOf(v reflect.Value) place { return address{v.Addr().Interface()} }

// entry is the value of a key in the map at of. Storing makes the map, if it
// is nil, and the key.
type entry struct {
	of  place
	key string
}

func (e entry) value() reflect.Value {
	m := e.of.value()
	if v := m.MapIndex(mapKey(m.Type(), e.key)); v.IsValid() {
		return v
	}
	return reflect.Zero(m.Type().Elem())
}

func (e entry) store(v reflect.Value) {
	m := e.of.value()
	if m.IsNil() {
		e.of.store(reflect.MakeMap(m.Type()))
		m = e.of.value()
	}
	m.SetMapIndex(mapKey(m.Type(), e.key), v)
}

func mapKey(m reflect.Type, key string) reflect.Value {
	return reflect.ValueOf(key).Convert(m.Key())
}

// field is a field of the struct at of, which has no address because it is in
// a map. path is the field's index, one rune for each embedded struct.
type field struct {
	of   place
	path string
}

func (f field) index() []int {
	var index []int
	for _, r := range f.path {
		index = append(index, int(r))
	}
	return index
}

func (f field) value() reflect.Value { return f.of.value().FieldByIndex(f.index()) }

func (f field) store(v reflect.Value) {
	whole := copyOf(f.of.value())
	whole.FieldByIndex(f.index()).Set(v)
	f.of.store(whole)
}

// element is an element of the array at of, which has no address.
type element struct {
	of place
	i  int
}

func (e element) value() reflect.Value { return e.of.value().Index(e.i) }

func (e element) store(v reflect.Value) {
	whole := copyOf(e.of.value())
	whole.Index(e.i).Set(v)
	e.of.store(whole)
}

// copyOf returns an addressable copy of v.
func copyOf(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// fieldPlace and elementPlace give a part of a value the plainest place.
func fieldPlace(of place, v reflect.Value, index []int) place {
	if v.CanAddr() {
		return addressOf(v.FieldByIndex(index))
	}
	path := make([]rune, len(index))
	for i, n := range index {
		path[i] = rune(n)
	}
	return field{of, string(path)}
}

func elementPlace(of place, v reflect.Value, i int) place {
	if e := v.Index(i); e.CanAddr() {
		return addressOf(e)
	}
	return element{of, i}
}

// depth counts the maps between a place and the next address.
func depth(p place) int {
	for n := 0; ; {
		switch q := p.(type) {
		case entry:
			p = q.of
			n++
		case field:
			p = q.of
		case element:
			p = q.of
		default:
			return n
		}
	}
}
