package trackable_test

import (
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
)

// optimizer keeps slots as TensorFlow's do. It cannot make slots while it waits.
type optimizer struct {
	trackable.Node
	slots []trackable.Slot
	wait  bool
}

func (o *optimizer) Slots() []trackable.Slot { return o.slots }

func (o *optimizer) MakeSlot(variable trackable.Object, name string) (trackable.Object, error) {
	if o.wait {
		return nil, nil
	}
	return o.slot(name, variable, 0), nil
}

func (o *optimizer) slot(name string, variable trackable.Object, v float32) *trackable.Variable[float32] {
	s := scalar(v)
	o.slots = append(o.slots, trackable.Slot{Variable: variable, Name: name, Value: s})
	return s
}

func (o *optimizer) get(name string, variable trackable.Object) float32 {
	for _, s := range o.slots {
		if s.Name == name && s.Variable == variable {
			return s.Value.(*trackable.Variable[float32]).Value[0]
		}
	}
	return -1
}

// adam returns a model with an optimizer whose slots were made in an order
// that is not the saved one.
func adam() (root *trackable.Node, opt *optimizer, a, b *trackable.Variable[float32]) {
	a, b, opt = scalar(1), scalar(2), new(optimizer)
	opt.slot("m", b, 10)
	opt.slot("v", b, 20)
	opt.slot("m", a, 11)
	opt.slot("v", a, 21)
	opt.slot("m", scalar(0), 99) // of a variable that nothing leads to
	return tree("opt", opt, "a", a, "b", b), opt, a, b
}

func TestSlotsAreSavedByNameThenByVariable(t *testing.T) {
	root, _, _, _ := adam()
	m := saved(t, root)
	slot := "/.OPTIMIZER_SLOT/opt/"
	wantKeys(t, m, "a"+value, "b"+value, "a"+slot+"m"+value, "b"+slot+"m"+value, "a"+slot+"v"+value, "b"+slot+"v"+value)
	g, err := trackable.ReadGraph(m)
	if err != nil {
		t.Fatal(err)
	}
	want := []trackable.StoredSlot{{Name: "m", Variable: 2, Node: 4}, {Name: "m", Variable: 3, Node: 5}, {Name: "v", Variable: 2, Node: 6}, {Name: "v", Variable: 3, Node: 7}}
	for i, s := range g.Nodes[1].Slots {
		if i >= len(want) || s != want[i] {
			t.Errorf("slots = %v, want %v", g.Nodes[1].Slots, want)
		}
	}
	if got, want := g.Path(4), `(root).opt's state 'm' for (root).a`; got != want {
		t.Errorf("Path(4) = %v, want %v", got, want)
	}
}

func TestRestoreFillsAndMakesSlots(t *testing.T) {
	root, _, _, _ := adam()
	src := saved(t, root)
	a, b, opt := scalar(0), scalar(0), new(optimizer)
	opt.slot("v", b, 0)
	s := restored(t, tree("a", a, "b", b, "opt", opt), src, nil)
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	if opt.get("m", a) != 11 || opt.get("v", b) != 20 || len(opt.slots) != 4 {
		t.Errorf("slots = m of a %v, v of b %v, %d in all, want 11, 20, 4", opt.get("m", a), opt.get("v", b), len(opt.slots))
	}
}

func TestSlotsOfWhatIsTrackedLater(t *testing.T) {
	root, _, _, _ := adam()
	src := saved(t, root)
	a, b, opt := scalar(0), scalar(0), new(optimizer)
	later := tree("opt", opt)
	s := restored(t, later, src, nil)
	later.Track("a", a)
	if opt.get("m", a) != 11 {
		t.Errorf("slot m of a = %v, want 11", opt.get("m", a))
	}
	if s.AssertConsumed() == nil {
		t.Error("AssertConsumed = nil, want an error: b is not here")
	}
	later.Track("b", b)
	if err := s.AssertConsumed(); err != nil || opt.get("v", b) != 20 {
		t.Errorf("slot v of b = %v, AssertConsumed = %v, want 20, nil", opt.get("v", b), err)
	}
}

func TestSlotThatCannotBeMadeYetWaits(t *testing.T) {
	root, _, _, _ := adam()
	src := saved(t, root)
	a, b, opt := scalar(0), scalar(0), &optimizer{wait: true}
	s := restored(t, tree("a", a, "b", b, "opt", opt), src, nil)
	err := s.AssertConsumed()
	if err == nil || !strings.Contains(err.Error(), `(root).opt's state 'm' for (root).a`) {
		t.Errorf("AssertConsumed = %v, want it to name the slot", err)
	}
	for _, v := range []trackable.Object{a, b} {
		for _, name := range []string{"v", "m"} {
			opt.slot(name, v, 0)
			opt.TrackSlot(opt.slots[len(opt.slots)-1])
		}
	}
	if err := s.AssertConsumed(); err != nil || opt.get("m", a) != 11 || opt.get("v", b) != 20 {
		t.Errorf("AssertConsumed = %v, slots %v %v, want nil, 11, 20", err, opt.get("m", a), opt.get("v", b))
	}
}

func TestSkippedSlots(t *testing.T) {
	root, _, _, _ := adam()
	src := saved(t, root)
	a, opt := scalar(0), new(optimizer)
	opt.slot("m", a, 7)
	opt.slot("new", a, 7)
	s := restored(t, tree("a", a, "b", scalar(0), "opt", opt), src, &trackable.RestoreOptions{SkipSlotVariables: true})
	if err := s.AssertConsumed(); err != nil || opt.get("m", a) != 7 || a.Value[0] != 1 {
		t.Errorf("AssertConsumed = %v, slot %v, a %v, want nil, 7, 1", err, opt.get("m", a), a.Value)
	}
}

func TestSlotsThatCannotBeSavedSayWhy(t *testing.T) {
	a := scalar(1)
	for _, c := range []struct {
		name, want string
		value      trackable.Object
		extra      []any
	}{
		{"child too", "is in the graph by another way too", a, nil},
		{"children", "has children, which a slot cannot", tree("x", scalar(1)), nil},
		{"nil", "object is nil", (*trackable.Variable[float32])(nil), nil},
	} {
		opt := &optimizer{slots: []trackable.Slot{{Variable: a, Name: "m", Value: c.value}}}
		err := saveError(tree("a", a, "opt", opt))
		if want := `(root).opt's state 'm' for (root).a: ` + c.want; err == nil || err.Error() != want {
			t.Errorf("%s: Save = %v, want %v", c.name, err, want)
		}
	}
	opt := new(optimizer)
	opt.slot("m", a, 1)
	opt.slot("m", a, 2)
	if err := saveError(tree("a", a, "opt", opt)); err == nil || !strings.Contains(err.Error(), "listed twice") {
		t.Errorf("Save = %v, want listed twice", err)
	}
}

func TestLaterOfTwoRestoresThatWaitedForASlotWins(t *testing.T) {
	root, opt, a, _ := adam()
	older := saved(t, root)
	opt.slots[2].Value.(*trackable.Variable[float32]).Value[0] = 12 // m of a
	newer := saved(t, root)

	// The owner comes last: the newer restore's pass runs first.
	later := tree("a", a)
	restored(t, later, older, nil)
	restored(t, later, newer, nil)
	late := &optimizer{wait: true}
	later.Track("opt", late)
	m := late.slot("m", a, 0)
	late.TrackSlot(late.slots[0])
	wantValue(t, "slot m of a", m, 12)
}

// reluctant cannot make slots, and counts how often it is asked.
type reluctant struct {
	optimizer
	asked int
}

func (r *reluctant) MakeSlot(trackable.Object, string) (trackable.Object, error) {
	r.asked++
	return nil, nil
}

func TestAnOwnerIsAskedForEachSlotOnce(t *testing.T) {
	root, _, _, _ := adam()
	owner := new(reluctant)
	restored(t, tree("a", scalar(0), "b", scalar(0), "opt", owner), saved(t, root), nil)
	if owner.asked != 4 {
		t.Errorf("MakeSlot was called %d times, want once for each of 4 slots", owner.asked)
	}
}
