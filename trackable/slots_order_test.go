package trackable_test

import (
	"errors"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
)

// keeps returns an optimizer with one slot, "v" of variable.
func keeps(variable, slot trackable.Object) *optimizer {
	return &optimizer{slots: []trackable.Slot{{Variable: variable, Name: "v", Value: slot}}, wait: true}
}

// Each line was measured with TensorFlow 2.21. That of "between" is where the
// second owner is visited after the variable is bound and before it is visited.
func TestOfTwoOptimizersThatAreOneHereTheFirstGivesASlotItsValue(t *testing.T) {
	for _, c := range []struct {
		name string
		// of makes a root, or the attached objects of one, in which a variable is in w.
		of       func(first, second, w trackable.Object) *trackable.Node
		attached bool
	}{
		{name: "before", of: func(first, second, w trackable.Object) *trackable.Node {
			return tree("a", w, "b", first, "c", second)
		}},
		{name: "between", of: func(first, second, w trackable.Object) *trackable.Node {
			return tree("a", first, "b", w, "c", second)
		}},
		{name: "after", of: func(first, second, w trackable.Object) *trackable.Node {
			return tree("a", first, "b", second, "c", w)
		}},
		{name: "attached", attached: true, of: func(first, second, w trackable.Object) *trackable.Node {
			return tree("a", first, "b", w, "c", second)
		}},
	} {
		v := scalar(1)
		all := c.of(keeps(v, scalar(5)), keeps(v, vector(6, 7)), tree("v", v))
		src := saved(t, all)
		here := func(slot trackable.Object) (*trackable.Node, *trackable.RestoreOptions) {
			v := scalar(0)
			o := keeps(v, slot)
			all := c.of(o, o, tree("v", v))
			if c.attached {
				return new(trackable.Node), &trackable.RestoreOptions{Attached: all.TrackableChildren()}
			}
			return all, nil
		}
		one := scalar(0)
		root, o := here(one)
		restored(t, root, src, o)
		wantValue(t, c.name+": the slot", one, 5)

		two := vector(0, 0)
		root, o = here(two)
		var mismatch *trackable.Mismatch
		if _, err := trackable.Restore(root, src, o); !errors.As(err, &mismatch) {
			t.Errorf("%s: Restore = %v, want a *Mismatch of the first optimizer's slot", c.name, err)
		}
		wantValue(t, c.name+": the slot that does not fit", two, 0, 0)
	}
}

// The saved owner lists x's slot first. Here x and y are one, y is visited
// first, and the owner after both.
func TestSlotsThatWaitForTheirOwnerComeInTheOrderOfTheirVariables(t *testing.T) {
	x, y, opt := scalar(1), scalar(2), new(optimizer)
	opt.slot("v", x, 11)
	opt.slot("v", y, 12)
	src := saved(t, tree("x", x, "y", y, "z", tree("a", x, "d", tree("opt", opt))))

	v, slot := scalar(0), scalar(0)
	restored(t, tree("y", v, "z", tree("a", v, "d", tree("opt", keeps(v, slot)))), src, nil)
	wantValue(t, "the slot", slot, 12)

	// The same over several restores that had waited.
	v, slot = scalar(0), scalar(0)
	root, z := tree("y", v), tree("a", v)
	s := restored(t, root, src, nil)
	root.Track("z", z)
	z.Track("d", tree("opt", keeps(v, slot)))
	wantValue(t, "the slot whose owner was tracked last", slot, 12)
	if err := s.Err(); err != nil {
		t.Errorf("Err() = %v, want nil", err)
	}
}

// A variable that was not restored has no slots to restore when the owner comes.
func TestSlotsOfAVariableThatWasRefusedAreNotMade(t *testing.T) {
	v, saver := scalar(1), new(optimizer)
	saver.slot("v", v, 11)
	src := saved(t, tree("v", v, "w", tree("v", v), "opt", saver))

	root, opt := new(trackable.Node), new(optimizer)
	s := restored(t, root, src, nil)
	root.Track("v", vector(0, 0))
	if s.Err() == nil {
		t.Fatal("Err() = nil, want an error: v has another shape")
	}
	root.Track("opt", opt)
	if len(opt.slots) != 0 {
		t.Errorf("the optimizer was asked to make %v, want nothing", opt.slots)
	}
	v = scalar(0)
	root.Track("w", tree("v", v))
	if len(opt.slots) != 1 || opt.get("v", v) != 11 {
		t.Errorf("slots = %v, want one of 11", opt.slots)
	}
}
