package trackable

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// structField is a field that is saved.
type structField struct {
	name   string // the child's
	goName string
	index  []int // through embedded structs
	typ    reflect.Type
}

// fieldsOf lists a struct's fields in the order they stand. Of two with one
// name the one in fewer embedded structs wins, as in Go itself; where Go would
// not know either, it is an error, so that no field is dropped unsaid.
func fieldsOf(t reflect.Type, path string) ([]structField, error) {
	var fields []structField
	taken := make(map[string]bool)
	seen := map[reflect.Type]bool{t: true}
	level := []embedded{{typ: t}}
	for len(level) > 0 {
		here, deeper, err := fieldsAt(level, path)
		if err != nil {
			return nil, err
		}
		at := make(map[string]bool)
		for _, f := range here {
			if taken[f.name] {
				continue
			}
			if at[f.name] {
				return nil, fmt.Errorf("struct: %s: two fields are named %q", path, f.name)
			}
			at[f.name] = true
			fields = append(fields, f)
		}
		for name := range at {
			taken[name] = true
		}
		level = slices.DeleteFunc(deeper, func(e embedded) bool { return seen[e.typ] })
		for _, e := range level {
			seen[e.typ] = true
		}
	}
	slices.SortStableFunc(fields, func(a, b structField) int { return slices.Compare(a.index, b.index) })
	return fields, nil
}

// embedded is a struct whose fields count as the outer's.
type embedded struct {
	typ   reflect.Type
	index []int
}

// fieldsAt lists the fields of structs embedded equally deep, and the structs
// embedded in those.
func fieldsAt(level []embedded, path string) (fields []structField, deeper []embedded, err error) {
	for _, e := range level {
		for i := range e.typ.NumField() {
			f := e.typ.Field(i)
			name, tagged, err := tagOf(f, path)
			if err != nil {
				return nil, nil, err
			}
			index := append(slices.Clone(e.index), i)
			inner := flattened(f, tagged)
			switch {
			case name == "-":
			case inner != nil && f.Type.Kind() == reflect.Pointer && !f.IsExported():
				return nil, nil, &UnsupportedTypeError{path + "." + f.Name, f.Type, "it is an embedded pointer that is not exported"}
			case inner != nil:
				deeper = append(deeper, embedded{inner, index})
			case f.IsExported():
				fields = append(fields, structField{name, f.Name, index, f.Type})
			}
		}
	}
	return fields, deeper, nil
}

// tagOf returns a field's name, and whether its tag gives it. A tag that would
// have no effect is an error: it was not meant to be lost. Commas are kept for
// options to come.
func tagOf(f reflect.StructField, path string) (name string, tagged bool, err error) {
	tag := f.Tag.Get("ckpt")
	switch {
	case tag == "":
		return f.Name, false, nil
	case strings.Contains(tag, ","):
		err = fmt.Errorf("struct: %s.%s: tag %q: a name has no comma, and there are no options", path, f.Name, tag)
	case tag != "-" && !f.IsExported():
		err = fmt.Errorf("struct: %s.%s: has the tag %q, but is not exported, so cannot be saved", path, f.Name, tag)
	}
	return tag, true, err
}

// flattened returns the struct type of an embedded field whose fields count as
// the outer's: one that has no name of its own and is saved as a struct.
func flattened(f reflect.StructField, named bool) reflect.Type {
	if !f.Anonymous || named {
		return nil
	}
	t := f.Type
	if t.Kind() == reflect.Pointer && !isObject(t) {
		t = t.Elem()
	}
	if kindOf(t) != kindStruct {
		return nil
	}
	return t
}
