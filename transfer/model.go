package transfer

import (
	"fmt"

	"github.com/ckpt-dev/ckpt/trackable"
)

// model is the objects here, as variables with names.
type model struct {
	owners   []trackable.Owner
	vars     []variable
	varsOf   [][]int          // indices into vars, by owner
	byName   map[string][]int // indices into vars
	byObject map[trackable.Object][]int
}

// variable is one tensor of an object.
type variable struct {
	name  string
	owner int                    // index into model.owners
	of    trackable.StoredTensor // the object's name of it
}

// newModel lists the variables of the objects that root leads to. What is
// opaque bytes has no values to transfer.
func newModel(root trackable.Object, attached []trackable.Child) (*model, error) {
	owners, err := trackable.Owners(root, attached)
	if err != nil {
		return nil, err
	}
	m := &model{owners: owners, byName: make(map[string][]int), byObject: make(map[trackable.Object][]int)}
	m.varsOf = make([][]int, len(owners))
	for i, o := range owners {
		for _, t := range o.Tensors {
			if t.Name == trackable.PyState {
				continue
			}
			v := variable{name: nameOf(o, t), owner: i, of: t}
			m.varsOf[i] = append(m.varsOf[i], len(m.vars))
			m.byName[v.name] = append(m.byName[v.name], len(m.vars))
			m.byObject[o.Object] = append(m.byObject[o.Object], len(m.vars))
			m.vars = append(m.vars, v)
		}
	}
	return m, nil
}

func nameOf(o trackable.Owner, t trackable.StoredTensor) string {
	switch {
	case t.FullName != "":
		return t.FullName
	case len(o.Tensors) == 1:
		return o.Key
	}
	return o.Key + "/" + t.Name
}

// named returns the variable of that name, -1 if there is none.
func (m *model) named(name string) (int, error) {
	switch found := m.byName[name]; len(found) {
	case 0:
		return -1, nil
	case 1:
		return found[0], nil
	default:
		first, second := m.vars[found[0]], m.vars[found[1]]
		return -1, fmt.Errorf("variable %q: %s and %s have this name", name, m.owners[first.owner].Path, m.owners[second.owner].Path)
	}
}

// ofObject returns the one variable that an object is.
func (m *model) ofObject(o trackable.Object) (int, error) {
	switch found := m.byObject[o]; len(found) {
	case 0:
		return -1, fmt.Errorf("object %T: is not a variable that the root leads to", o)
	case 1:
		return found[0], nil
	default:
		return -1, fmt.Errorf("object %T: has %d tensors, want one: name them", o, len(found))
	}
}
