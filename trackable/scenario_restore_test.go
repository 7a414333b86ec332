package trackable_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
)

// wantAssertions tells which of AssertConsumed, AssertExistingObjectsMatched
// and AssertNontrivialMatch do not fail or pass as wanted.
func wantAssertions(t *testing.T, s *trackable.LoadStatus, consumed, existing, nontrivial bool) {
	t.Helper()
	for _, a := range []struct {
		name string
		err  error
		want bool
	}{
		{"AssertConsumed", s.AssertConsumed(), consumed},
		{"AssertExistingObjectsMatched", s.AssertExistingObjectsMatched(), existing},
		{"AssertNontrivialMatch", s.AssertNontrivialMatch(), nontrivial},
	} {
		if (a.err == nil) != a.want {
			t.Errorf("%s = %v, want it to pass: %v", a.name, a.err, a.want)
		}
	}
}

func TestScenario060RestoreBeforeTheObjectExists(t *testing.T) {
	src := saved(t, tree("dep", tree("v", scalar(1))))
	root := tree()
	s := restored(t, root, src, nil)
	wantAssertions(t, s, false, true, false)
	dep := tree()
	root.Track("dep", dep)
	wantAssertions(t, s, false, true, true)
	v := scalar(0)
	dep.Track("v", v)
	wantValue(t, "v", v, 1)
	wantAssertions(t, s, true, true, true)
}

func TestScenario061DependencyBuiltFirstAndAttachedLater(t *testing.T) {
	src := saved(t, tree("dep", tree("v", scalar(1))))
	root, v := tree(), scalar(0)
	dep := tree("v", v)
	s := restored(t, root, src, nil)
	wantValue(t, "v before it is attached", v, 0)
	root.Track("dep", dep)
	wantValue(t, "v", v, 1)
	wantAssertions(t, s, true, true, true)
}

func TestScenario063OneStoredTwoHere(t *testing.T) {
	shared := scalar(5)
	src := saved(t, tree("a", shared, "b", shared))
	s := restored(t, tree("a", scalar(0), "b", scalar(0)), src, nil)
	wantAssertions(t, s, false, false, true)
	want := "not matched: objects not bound to checkpointed values: (root).b"
	if err := s.AssertConsumed(); err == nil || err.Error() != want {
		t.Errorf("AssertConsumed = %v, want %v", err, want)
	}
}

func TestScenario064TwoStoredOneHere(t *testing.T) {
	src := saved(t, tree("a", tree("x", scalar(1)), "b", tree("y", scalar(2))))
	x, y := scalar(0), scalar(0)
	both := tree("x", x, "y", y)
	s := restored(t, tree("a", both, "b", both), src, nil)
	wantValue(t, "x", x, 1)
	wantValue(t, "y", y, 2)
	wantAssertions(t, s, true, true, true)
}

func TestScenario065EmptyContainersDoNotCount(t *testing.T) {
	empty := func() *trackable.Node { return tree("l", trackable.NewList(), "d", trackable.NewDict()) }
	wantAssertions(t, restored(t, empty(), saved(t, empty()), nil), true, true, true)
	wantAssertions(t, restored(t, tree("v", scalar(0)), saved(t, tree("v", scalar(1), "l", trackable.NewList())), nil), true, true, true)
	wantAssertions(t, restored(t, tree("v", scalar(0), "d", trackable.NewDict()), saved(t, tree("v", scalar(1))), nil), true, true, true)
}

func TestScenario067ValueAssignedBeforeAttaching(t *testing.T) {
	root := tree()
	s := restored(t, root, saved(t, tree("v", scalar(4))), nil)
	v := scalar(0)
	v.Value[0] = -2
	root.Track("v", v)
	wantValue(t, "v", v, 4)
	wantAssertions(t, s, true, true, true)
}

func TestScenario070ContainersOfPlainValuesCameLater(t *testing.T) {
	src := saved(t, tree("v", scalar(1)))
	// A list of plain numbers is a container without objects.
	s := restored(t, tree("v", scalar(0), "l", trackable.NewList(), "d", trackable.NewDict()), src, nil)
	wantAssertions(t, s, true, true, true)
}

func TestScenario075CrossRestoreOfAttachedAndOwnChildren(t *testing.T) {
	v, w, y := scalar(1), scalar(2), scalar(3)
	w2, v2, z2 := scalar(4), scalar(5), scalar(6)
	one, two := tree("v", v), tree("w", w2)
	attached1 := []trackable.Child{{Name: "root", Object: one}, {Name: "w", Object: w}, {Name: "y", Object: y}}
	attached2 := []trackable.Child{{Name: "root", Object: two}, {Name: "v", Object: v2}, {Name: "z", Object: z2}}
	src1, src2 := saved(t, one, attached1...), saved(t, two, attached2...)
	restored(t, one, src2, &trackable.RestoreOptions{Attached: attached1})
	wantValue(t, "v", v, 5)
	wantValue(t, "w", w, 4)
	wantValue(t, "y", y, 3)
	restored(t, two, src1, &trackable.RestoreOptions{Attached: attached2})
	wantValue(t, "w2", w2, 2)
	wantValue(t, "v2", v2, 1)
	wantValue(t, "z2", z2, 6)
}

func TestScenario078OnlySubtreesWithValuesWait(t *testing.T) {
	src := saved(t, tree("branch_with_value", tree("v", scalar(1)), "branch_no_value", tree("x", tree()), "v", scalar(2)))
	root := tree()
	s := restored(t, root, src, nil)
	waits := func(want ...string) {
		t.Helper()
		if got := s.Unused(); !slices.Equal(got, want) {
			t.Errorf("Unused = %q, want %q", got, want)
		}
	}
	waits("(root).v", "(root).branch_with_value.v")
	root.Track("branch_no_value", tree("x", tree()))
	waits("(root).v", "(root).branch_with_value.v")
	root.Track("branch_with_value", tree("v", scalar(0)))
	waits("(root).v")
	root.Track("v", scalar(0))
	waits()
	wantAssertions(t, s, true, true, true)
}

func TestScenario079OtherShape(t *testing.T) {
	_, err := trackable.Restore(tree("v", vector(7)), saved(t, tree("v", vector(1, 1))), nil)
	want := "(root).v: v" + value + ": checkpoint has float32 [2], object wants float32 [1]"
	if !errors.Is(err, trackable.ErrNotMatched) || err.Error() != want {
		t.Errorf("Restore = %v, want %v", err, want)
	}
}

func TestScenario080OtherDType(t *testing.T) {
	v := trackable.NewScalar[float64]("", 7)
	_, err := trackable.Restore(tree("v", v), saved(t, tree("v", scalar(1))), nil)
	want := "(root).v: v" + value + ": checkpoint has float32 [], object wants float64 []"
	if !errors.Is(err, trackable.ErrNotMatched) || err.Error() != want || v.Value[0] != 7 {
		t.Errorf("Restore = %v, v = %v, want %v and no cast", err, v.Value, want)
	}
}

// TensorFlow logs what was not used when the status is collected; Unused and
// the assertions tell it when asked.
func TestScenario084PartialRestoreIsReported(t *testing.T) {
	src := saved(t, tree("v1", scalar(1), "v2", scalar(2)))
	v2 := scalar(0)
	s := restored(t, tree("v1", tree(), "v2", v2), src, nil)
	wantValue(t, "v2", v2, 2)
	want := "(root).v1 (VARIABLE_VALUE)"
	if got := s.Unused(); len(got) != 1 || got[0] != want {
		t.Errorf("Unused = %q, want %q", got, want)
	}
	warnings := strings.Join(s.Warnings(), "\n")
	if !strings.Contains(warnings, "(root).v1") || strings.Contains(warnings, "(root).v2") || !strings.Contains(warnings, "ExpectPartial") {
		t.Errorf("Warnings = %q, want (root).v1 and ExpectPartial named, (root).v2 not", warnings)
	}
	err := s.AssertConsumed()
	if err == nil || !strings.Contains(err.Error(), "unused attributes") || !strings.Contains(err.Error(), "(root).v1") || strings.Contains(err.Error(), "v2") {
		t.Errorf("AssertConsumed = %v, want unused attributes of (root).v1", err)
	}
}

func TestScenario085ExpectPartialSilences(t *testing.T) {
	s := restored(t, tree(), saved(t, tree("v", scalar(1))), nil)
	if len(s.Warnings()) == 0 {
		t.Error("Warnings = none, want that v was not used")
	}
	if s.ExpectPartial() != s || s.Unused() != nil || len(s.Warnings()) != 0 {
		t.Errorf("after ExpectPartial: Unused = %q, Warnings = %q, want none", s.Unused(), s.Warnings())
	}
	if s.AssertConsumed() == nil {
		t.Error("AssertConsumed = nil after ExpectPartial, want an error: it is not affected")
	}
}

func TestScenario096RestoringTheOlderAgainWins(t *testing.T) {
	one, two := saved(t, tree("v", scalar(1))), saved(t, tree("v", scalar(2)))
	v := scalar(0)
	root := tree("v", v)
	restored(t, root, one, nil)
	restored(t, root, two, nil)
	wantValue(t, "v", v, 2)
	restored(t, root, one, nil)
	wantValue(t, "v", v, 1)
}

func TestScenario098SkippedSlots(t *testing.T) {
	v, opt := scalar(12), new(optimizer)
	opt.slot("m", v, 13)
	opt.slot("v", v, 14)
	opt.Track("beta1_power", scalar(0.9)).Track("beta2_power", scalar(0.99))
	counter := trackable.Child{Name: "save_counter", Object: trackable.NewScalar("save_counter", int64(1))}
	src := saved(t, tree("optimizer", opt, "var", v), counter)
	if len(src.names) != 7 {
		t.Errorf("the checkpoint has %d keys, want 7: %q", len(src.names), src.names)
	}
	for _, c := range []struct {
		skip     bool
		wantSlot float32
	}{{true, 0}, {false, 14}} {
		v, opt := scalar(0), new(optimizer)
		opt.slot("m", v, 0)
		opt.slot("v", v, 0)
		opt.Track("beta1_power", scalar(0)).Track("beta2_power", scalar(0))
		s := restored(t, tree("optimizer", opt, "var", v), src, &trackable.RestoreOptions{
			Attached: []trackable.Child{{Name: "save_counter", Object: trackable.NewScalar("", int64(0))}}, SkipSlotVariables: c.skip,
		})
		wantAssertions(t, s, true, true, true)
		wantValue(t, "var", v, 12)
		if got := opt.get("v", v); got != c.wantSlot {
			t.Errorf("skip %v: slot v = %v, want %v", c.skip, got, c.wantSlot)
		}
	}
}

func TestScenario099CheckpointsSharingAnOptimizer(t *testing.T) {
	a, b, opt := scalar(1), scalar(2), new(optimizer)
	opt.slot("m", a, 10)
	opt.slot("m", b, 20)
	one, two := tree("opt", opt, "v", a), tree("opt", opt, "v", b)
	src1, src2 := saved(t, one), saved(t, two)
	slot := "v/.OPTIMIZER_SLOT/opt/m" + value
	wantKeys(t, src1, "v"+value, slot)
	if !src1.tensors[slot].Equal(number(10)) || !src2.tensors[slot].Equal(number(20)) {
		t.Error("each checkpoint should hold the slot of its own variable")
	}
	for _, s := range opt.slots {
		s.Value.(*trackable.Variable[float32]).Value[0] = 0
	}
	wantAssertions(t, restored(t, one, src1, nil), true, true, true)
	if opt.get("m", a) != 10 || opt.get("m", b) != 0 {
		t.Errorf("slots = %v %v, want 10 and the other's as it was, 0", opt.get("m", a), opt.get("m", b))
	}
}
