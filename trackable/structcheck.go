package trackable

import "reflect"

// typeChecker finds, before anything is walked, a type that cannot be saved.
type typeChecker struct{ seen map[reflect.Type]bool }

func (c *typeChecker) check(t reflect.Type, path string) error {
	if c.seen[t] {
		return nil
	}
	c.seen[t] = true
	switch kindOf(t) {
	case kindNone:
		return &UnsupportedTypeError{path, t, "no tensor is like it (a field tagged `ckpt:\"-\"` is left out)"}
	case kindPointer:
		return c.checkPointer(t, path)
	case kindStruct:
		return c.checkStruct(t, path)
	case kindMap:
		return c.checkMap(t, path)
	case kindList:
		return c.check(t.Elem(), path+"[]")
	}
	return nil
}

// checkPointer refuses pointers that lead to pointers without end.
func (c *typeChecker) checkPointer(t reflect.Type, path string) error {
	e := t.Elem()
	for n := 0; e.Kind() == reflect.Pointer; n++ {
		if e = e.Elem(); n > 10 {
			return &UnsupportedTypeError{path, t, "it is a pointer to pointers only"}
		}
	}
	return c.check(t.Elem(), path)
}

func (c *typeChecker) checkMap(t reflect.Type, path string) error {
	if t.Key().Kind() != reflect.String {
		return &UnsupportedTypeError{path, t, "its keys are not strings"}
	}
	if e := t.Elem(); isObject(e) && !e.Implements(objectType) {
		return &UnsupportedTypeError{path, t, "its values are objects by their address, which a map's have not: use pointers"}
	}
	return c.check(t.Elem(), path+"[]")
}

// checkStruct refuses structs that would be saved as nothing, such as a
// sync.Mutex or one whose fields someone forgot to export, unless there is
// nothing in them.
func (c *typeChecker) checkStruct(t reflect.Type, path string) error {
	fields, err := fieldsOf(t, path)
	if err != nil {
		return err
	}
	if len(fields) == 0 && t.NumField() > 0 {
		return &UnsupportedTypeError{path, t, "it has no exported fields (a field tagged `ckpt:\"-\"` is left out)"}
	}
	for _, f := range fields {
		if err := c.check(f.typ, path+"."+f.goName); err != nil {
			return err
		}
	}
	return nil
}
