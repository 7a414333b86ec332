package trackable_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// The numbers are those of the list of scenarios that TensorFlow's own tests
// and source gave: what a graph is saved as.

func TestScenario057EscapedKeys(t *testing.T) {
	v := func() trackable.Object { return scalar(1) }
	wantKeys(t, saved(t, tree("v", v(), "a/b/c", v(), "c/", v(), "d/.S", v(), "d/.ATTRIBUTES/f", v())),
		"v"+value, "a.Sb.Sc"+value, "c.S"+value, "d.S..S"+value, "d.S..ATTRIBUTES.Sf"+value)
	wantKeys(t, saved(t, tree(".ATTRIBUTES", tree("a", v()))), "..ATTRIBUTES/a"+value)
}

func TestScenario058SharedObjectHasItsShorterName(t *testing.T) {
	v := scalar(1)
	wantKeys(t, saved(t, tree("leaf", tree("v", v))), "leaf/v"+value)
	wantKeys(t, saved(t, tree("a", tree("b", tree("v", v)), "z", tree("v", v))), "z/v"+value)
	wantKeys(t, saved(t, tree("y", tree("v", v), "z", tree("v", v))), "y/v"+value)
}

// Adding a variable twice is an error in TensorFlow, assigning an attribute
// twice is not. Track is the assignment; what cannot be meant is refused.
func TestScenario059OneNameForTwo(t *testing.T) {
	src := saved(t, tree("v", scalar(1), "v", scalar(2)))
	wantKeys(t, src, "v"+value)
	if !src.tensors["v"+value].Equal(number(2)) {
		t.Errorf("v = %v, want the later, 2", src.tensors["v"+value].Format(0))
	}
	err := saveError(tree("v", scalar(1)), trackable.Child{Name: "v", Object: scalar(2)})
	if err == nil || err.Error() != "(root).v: already exists as another object" {
		t.Errorf("Save = %v, want v to exist already", err)
	}
	if _, err := trackable.Struct(&struct {
		A, B int `ckpt:"x"`
	}{}); err == nil || !strings.Contains(err.Error(), `two fields are named "x"`) {
		t.Errorf("Struct = %v, want two fields of one name refused", err)
	}
}

func TestScenario072OneVariableInListsAndDicts(t *testing.T) {
	v := scalar(5)
	make := func(v *trackable.Variable[float32]) *trackable.Node {
		return tree("a", trackable.NewList(v, v), "b", trackable.NewDict().Set("a", v).Set("b", v))
	}
	src := saved(t, make(v))
	wantKeys(t, src, "a/0"+value)
	g, err := trackable.ReadGraph(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range []int{1, 2} {
		for _, e := range g.Nodes[node].Children {
			if e.Node != 3 {
				t.Errorf("child %q of node %d is node %d, want 3", e.Name, node, e.Node)
			}
		}
	}
	fresh := scalar(0)
	if err := restored(t, make(fresh), src, nil).AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	wantValue(t, "v", fresh, 5)
}

func TestScenario083SeveralTensorsOfOneObject(t *testing.T) {
	with := func(a, b float32) *many {
		return &many{attributes: []trackable.Attribute{{Name: "v1", Tensor: number(a)}, {Name: "v2", Tensor: number(b)}}}
	}
	root := with(1, 2)
	root.Track("child", with(3, 4))
	src := saved(t, root)
	wantKeys(t, src, "/.ATTRIBUTES/v1", "/.ATTRIBUTES/v2", "child/.ATTRIBUTES/v1", "child/.ATTRIBUTES/v2")
	got, child := with(0, 0), with(0, 0)
	got.Track("child", child)
	if err := restored(t, got, src, nil).AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	for i, m := range []*many{got, child} {
		if !m.got["v1"].Equal(number(float32(2*i+1))) || !m.got["v2"].Equal(number(float32(2*i+2))) {
			t.Errorf("object %d got %v", i, m.got)
		}
	}
}

// A List only grows, so that it cannot be brought into the state in which
// TensorFlow refuses to save it; a slice in a Struct may change at will.
func TestScenario091ListsOnlyGrow(t *testing.T) {
	l := trackable.NewList(scalar(1))
	l.Append(scalar(2))
	wantKeys(t, saved(t, l), "0"+value, "1"+value)
	model := &struct{ L []*layer }{[]*layer{{Name: "old"}, {Name: "kept"}}}
	o := object(t, model)
	saved(t, o)
	model.L[0] = &layer{Name: "new"}
	model.L = append(model.L[1:], model.L[0])
	if got := saved(t, o).tensors["L/1/Name"+value]; got.Format(0) != `"new"` {
		t.Errorf("L/1/Name = %v, want what the list holds now", got.Format(0))
	}
}

// The type of a map's keys is known before anything is saved.
func TestScenario092MapsHaveStringKeys(t *testing.T) {
	_, err := trackable.Struct(&struct{ M map[int]*layer }{})
	var u *trackable.UnsupportedTypeError
	if !errors.As(err, &u) || u.Reason != "its keys are not strings" {
		t.Errorf("Struct = %v, want an *UnsupportedTypeError of the keys", err)
	}
	if _, err := trackable.Struct(&struct{ M map[int]int }{}); !errors.As(err, &u) {
		t.Errorf("Struct = %v, want an *UnsupportedTypeError, for what would be left out unsaid", err)
	}
}

// A namedtuple has its fields' names and its indices. A Go struct has only the
// names; what TensorFlow saved is read by either.
func TestScenario093NamedTuples(t *testing.T) {
	x, y := scalar(1), scalar(2)
	src := saved(t, tree("t", tree("x", x, "y", y, "0", x, "1", y)))
	wantKeys(t, src, "t/x"+value, "t/y"+value)
	a, b := scalar(0), scalar(0)
	if err := restored(t, tree("t", trackable.NewList(a, b)), src, nil).AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed of a list = %v, want nil", err)
	}
	wantValue(t, "0", a, 1)
	wantValue(t, "1", b, 2)
	model := &struct {
		T struct{ X, Y float32 } `ckpt:"t"`
	}{}
	type names struct {
		X float32 `ckpt:"x"`
		Y float32 `ckpt:"y"`
	}
	named := &struct {
		T names `ckpt:"t"`
	}{}
	restored(t, object(t, named), src, nil)
	if named.T != (names{1, 2}) {
		t.Errorf("struct = %v, want 1, 2", named.T)
	}
	wantKeys(t, saved(t, object(t, model)), "t/X"+value, "t/Y"+value)
}

// What TensorFlow forgets in silence a Struct saves, or refuses.
func TestScenario094PlainValuesAreSaved(t *testing.T) {
	model := &struct {
		Steps int
		Name  string
	}{3, "run"}
	src := saved(t, object(t, model))
	wantKeys(t, src, "Steps"+value, "Name"+value)
	model.Steps, model.Name = 0, ""
	restored(t, object(t, model), src, nil)
	if model.Steps != 3 || model.Name != "run" {
		t.Errorf("model = %v, want 3, run", *model)
	}
}

// witness is a State that notes what a variable is when it is restored.
type witness struct {
	stamp
	v    *trackable.Variable[float32]
	seen float32
}

func (w *witness) UnmarshalBinary(data []byte) error {
	w.seen = w.v.Value[0]
	return w.stamp.UnmarshalBinary(data)
}

func TestScenario095StatesAreRestoredBeforeTensors(t *testing.T) {
	src := saved(t, tree("v", scalar(1), "s", trackable.State(&stamp{"state"})))
	wantKeys(t, src, "v"+value, "s/.ATTRIBUTES/py_state")
	v := scalar(7)
	w := &witness{v: v}
	if err := restored(t, tree("v", v, "s", trackable.State(w)), src, nil).AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	if w.text != "state" || w.seen != 7 || v.Value[0] != 1 {
		t.Errorf("state %q saw v = %v, v is %v now; want state, 7, 1", w.text, w.seen, v.Value)
	}
}

func TestScenario087CopiesAreIndependent(t *testing.T) {
	type model struct {
		Step int
		W    [2]float32
	}
	one := model{1, [2]float32{1, 2}}
	two := one // a deep copy: the struct holds no pointers
	src := saved(t, object(t, &one))
	two.Step, two.W[0] = 9, 9
	restored(t, object(t, &one), src, nil)
	if one != (model{1, [2]float32{1, 2}}) || two.Step != 9 || two.W[0] != 9 {
		t.Errorf("one = %v, its copy %v, want the copy untouched", one, two)
	}
	if !slices.Equal(saved(t, object(t, &two)).names, src.names) || !saved(t, object(t, &two)).tensors["Step"+value].Equal(mustInt(9)) {
		t.Error("the copy is not saved as it is")
	}
}

func mustInt(n int64) tensor.Tensor {
	t, err := tensor.New(nil, []int64{n})
	if err != nil {
		panic(err)
	}
	return t
}
