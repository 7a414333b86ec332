package trackable_test

import (
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

const value = "/.ATTRIBUTES/VARIABLE_VALUE"

func TestKeysAreEscapedFirstPaths(t *testing.T) {
	v := func() trackable.Object { return scalar(1) }
	shared := scalar(5)
	root := tree(
		"deep", tree("er", tree("s", shared)),
		"a/b/c", v(), "c/", v(), "d/.S", v(), "a.b", v(), "ü", v(), "", v(),
		"d", tree(".ATTRIBUTES/f", v()),
		"y", tree("s", shared),
	)
	wantKeys(t, saved(t, root),
		"a.Sb.Sc"+value, "c.S"+value, "d.S..S"+value, "a..b"+value, "ü"+value, value,
		"d/..ATTRIBUTES.Sf"+value, "y/s"+value)
}

func TestListsAndDictsNameTheirChildren(t *testing.T) {
	v := scalar(1)
	d := trackable.NewDict().Set("z", scalar(2)).Set("b", v)
	d.Delete("z")
	d.Set("z", scalar(3))
	root := tree("a", trackable.NewList(v, v), "b", d, "empty", trackable.NewList())
	m := saved(t, root)
	wantKeys(t, m, "a/0"+value, "b/z"+value)
	g, err := trackable.ReadGraph(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Nodes[2].Children; len(got) != 2 || got[0].Name != "z" || got[1].Node != 4 {
		t.Errorf("children of the dict = %v, want z (the place of its first setting) and b, node 4", got)
	}
	if g.Nodes[3].HasValues || !g.Nodes[1].HasValues || !g.Nodes[0].HasValues {
		t.Errorf("nodes with values = %v %v %v, want only the empty list without", g.Nodes[0].HasValues, g.Nodes[1].HasValues, g.Nodes[3].HasValues)
	}
}

func TestListsAndDictsGiveBackWhatTheyHold(t *testing.T) {
	v, w := scalar(1), scalar(2)
	l := trackable.NewList(v)
	l.Append(w)
	if l.Len() != 2 || l.At(1) != trackable.Object(w) {
		t.Errorf("list of %d, At(1) = %v, want 2, w", l.Len(), l.At(1))
	}
	d := trackable.NewDict().Set("k", v)
	if d.Get("k") != trackable.Object(v) || d.Get("none") != nil {
		t.Errorf("Get = %v, %v, want v, nil", d.Get("k"), d.Get("none"))
	}
	d.Delete("k")
	if d.Get("k") != nil || len(d.TrackableChildren()) != 0 {
		t.Errorf("after Delete: Get = %v, want nil", d.Get("k"))
	}
}

func TestUntrackedAndTrackedAgainIsLast(t *testing.T) {
	root := tree("a", scalar(1), "b", scalar(2), "c", scalar(3))
	root.Track("b", scalar(4))
	root.Untrack("a")
	root.Untrack("none")
	root.Track("a", scalar(5))
	wantKeys(t, saved(t, root), "b"+value, "c"+value, "a"+value)
}

// many is an object with several tensors.
type many struct {
	trackable.Node
	attributes []trackable.Attribute
	calls      int
	got        map[string]tensor.Tensor
}

func (m *many) SerializeToTensors() ([]trackable.Attribute, error) {
	m.calls++
	return m.attributes, nil
}

func (m *many) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	m.calls++
	m.got = stored
	return nil
}

func number(v float32) tensor.Tensor {
	t, err := tensor.New(nil, []float32{v})
	if err != nil {
		panic(err)
	}
	return t
}

func TestTensorsOfOneObjectKeepTheirOrderAndAreRestoredInOneCall(t *testing.T) {
	m := &many{attributes: []trackable.Attribute{{Name: "zz", Tensor: number(1)}, {Name: "a/b", Tensor: number(2)}, {Name: "a", Tensor: number(3)}}}
	src := saved(t, tree("mult", m))
	wantKeys(t, src, "mult/.ATTRIBUTES/zz", "mult/.ATTRIBUTES/a..Sb", "mult/.ATTRIBUTES/a")
	wantKeys(t, saved(t, m), "/.ATTRIBUTES/zz", "/.ATTRIBUTES/a..Sb", "/.ATTRIBUTES/a")
	m.calls = 0
	restored(t, tree("mult", m), src, nil)
	if m.calls != 1 || !m.got["a/b"].Equal(number(2)) || len(m.got) != 3 {
		t.Errorf("RestoreFromTensors got %v in %d calls, want zz, a/b and a in one", m.got, m.calls)
	}
}

func TestSlicesOfOneTensorAreOneAttribute(t *testing.T) {
	part := func(start int64) trackable.Attribute {
		v, err := tensor.New(tensor.Shape{1}, []float32{float32(start)})
		if err != nil {
			t.Fatal(err)
		}
		return trackable.Attribute{Name: "x", Tensor: v, Slice: &tensor.Slice{Start: []int64{start}, Length: []int64{1}}, Full: tensor.Shape{2}}
	}
	parts := 0
	root := tree("o", &many{attributes: []trackable.Attribute{part(0), part(1)}})
	for n, err := range trackable.Save(root, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n.Slice != nil && n.Name == "o/.ATTRIBUTES/x" && n.Full.Equal(tensor.Shape{2}) {
			parts++
		}
	}
	g, err := trackable.ReadGraph(saved(t, root))
	if err != nil || parts != 2 || len(g.Nodes[1].Attributes) != 1 {
		t.Errorf("%d slices, attributes %v, %v, want 2 slices of one attribute", parts, g.Nodes[1].Attributes, err)
	}
	if err := saveError(tree("o", &many{attributes: []trackable.Attribute{part(0), part(0)}})); err == nil {
		t.Error("Save of one slice twice = nil, want an error")
	}
}

func TestStatesAreStoredAfterAllOtherTensors(t *testing.T) {
	root := tree("s", trackable.State(new(stamp)), "v", scalar(1))
	wantKeys(t, saved(t, root), "v"+value, "s/.ATTRIBUTES/py_state")
}

// stamp is a BinaryState that refuses empty bytes.
type stamp struct{ text string }

func (s *stamp) MarshalBinary() ([]byte, error) { return []byte("t" + s.text), nil }

func (s *stamp) UnmarshalBinary(data []byte) error {
	if len(data) == 0 {
		return errBadStamp
	}
	s.text = string(data[1:])
	return nil
}

func TestSaveStopsWhenToldTo(t *testing.T) {
	second := &many{attributes: []trackable.Attribute{{Name: "x", Tensor: number(1)}}}
	for _, err := range trackable.Save(tree("a", scalar(1), "b", second), nil) {
		if err != nil {
			t.Error(err)
		}
		break
	}
	if second.calls != 0 {
		t.Errorf("the second object was asked %d times after the first tensor was refused, want 0", second.calls)
	}
}

func TestAttachedChildrenFollowTheRootsOwn(t *testing.T) {
	b, a := scalar(1), scalar(2)
	root := tree("b", b, "a", a)
	attached := []trackable.Child{{Name: "alpha", Object: scalar(3)}, {Name: "b", Object: b}, {Name: "root", Object: root}}
	m := saved(t, root, attached...)
	wantKeys(t, m, "b"+value, "a"+value, "alpha"+value)
	g, err := trackable.ReadGraph(m)
	if err != nil {
		t.Fatal(err)
	}
	want := []trackable.Edge{{Name: "b", Node: 1}, {Name: "a", Node: 2}, {Name: "alpha", Node: 3}, {Name: "root", Node: 0}}
	for i, e := range g.Nodes[0].Children {
		if i >= len(want) || e != want[i] {
			t.Errorf("children of the root = %v, want %v", g.Nodes[0].Children, want)
		}
	}
}

// unhashable cannot be compared.
type unhashable map[string]int

func (unhashable) TrackableChildren() []trackable.Child { return nil }

func TestGraphsThatCannotBeSavedSayWhere(t *testing.T) {
	var none *trackable.Variable[float32]
	twice := []trackable.Attribute{{Name: "x", Tensor: number(1)}, {Name: "x", Tensor: number(1)}}
	for _, c := range []struct {
		name     string
		root     trackable.Object
		attached []trackable.Child
		want     string
	}{
		{"nil root", nil, nil, "(root): object is nil"},
		{"nil child", tree("a", tree("b", none)), nil, "(root).a.b: object is nil"},
		{"map", tree("m", unhashable{}), nil, "(root).m: type trackable_test.unhashable cannot be told from its equals: use a pointer"},
		{"attached another", tree("v", scalar(1)), []trackable.Child{{Name: "v", Object: scalar(1)}}, "(root).v: already exists as another object"},
		{"attached map", tree("v", unhashable{}), []trackable.Child{{Name: "v", Object: unhashable{}}}, "(root).v: "},
		{"twice", tree("o", &many{attributes: twice}), nil, `(root).o: x: key "o/.ATTRIBUTES/x": stored twice`},
		{"no tensor", tree("o", &many{attributes: []trackable.Attribute{{Name: "x"}}}), nil, "(root).o: x: dtype invalid cannot be stored"},
		{"no value", tree("v", &trackable.Variable[float32]{}), nil, "(root).v: shape [] of float32: has 1 elements, got 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := saveError(c.root, c.attached...)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("Save = %v, want %v", err, c.want)
			}
		})
	}
}
