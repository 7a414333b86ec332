package trackable

import "fmt"

// Owner is an object with tensors of its own, as Owners finds it.
type Owner struct {
	Object  Saveable
	Path    string         // for people: "(root).dense.kernel"
	Key     string         // what its keys begin with: "dense/kernel"
	Slot    bool           // it is an optimizer's slot
	Tensors []StoredTensor // with Name and FullName, and without Key
}

// Owners lists the objects that root and the attached edges lead to and that
// have tensors, in the order they are saved in, slots last. A variable without
// value is among them.
func Owners(root Object, attached []Child) ([]Owner, error) {
	v, err := newView(root, attached, true)
	if err != nil {
		return nil, err
	}
	var owners []Owner
	for id, o := range v.objects {
		s, ok := o.(Saveable)
		if !ok {
			continue
		}
		names, err := fullNames(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.routes.path(id), err)
		}
		if len(names) > 0 {
			owners = append(owners, Owner{s, v.routes.path(id), v.routes.key(id), v.routes[id].owner != noOwner, names})
		}
	}
	return owners, nil
}
