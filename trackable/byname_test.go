package trackable_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
)

func TestRestoreByNameMatchesFullNames(t *testing.T) {
	src := newMemory()
	src.set("dense/kernel", number(1))
	src.set("dense/kernel/Momentum", number(2))
	src.set("global_step", number(3))
	w, extra, opt := trackable.NewScalar[float32]("dense/kernel", 0), trackable.NewScalar[float32]("other", 7), new(optimizer)
	slot := opt.slot("momentum", w, 0)
	slot.Name = "dense/kernel/Momentum"
	step := &trackable.Variable[float32]{Name: "step"}
	root := tree("w", w, "opt", opt, "step", step)
	rename := func(name string) string { return strings.Replace(name, "step", "global_step", 1) }
	s, err := trackable.RestoreByName(root, src, rename, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantValue(t, "w", w, 1)
	wantValue(t, "slot", slot, 2)
	wantValue(t, "step", step, 3)
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	root.Track("extra", extra).Track("unnamed", scalar(7))
	s, err = trackable.RestoreByName(root, src, rename, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = s.AssertConsumed()
	if !errors.Is(err, trackable.ErrNotMatched) || !strings.HasSuffix(err.Error(), ": (root).extra, (root).unnamed") {
		t.Errorf("AssertConsumed = %v, want extra and unnamed", err)
	}
	wantValue(t, "extra", extra, 7)
}

func TestRestoreByNameChangesNothingOnAMismatch(t *testing.T) {
	src := newMemory()
	src.set("a", number(1))
	src.set("b", number(2))
	a, b := trackable.NewScalar[float32]("a", 7), trackable.NewScalar[int8]("b", 7)
	_, err := trackable.RestoreByName(tree("a", a, "b", b), src, nil, nil)
	if !errors.Is(err, trackable.ErrNotMatched) {
		t.Errorf("RestoreByName = %v, want ErrNotMatched", err)
	}
	wantValue(t, "a", a, 7)
}

func TestWhatIsTrackedAfterARestoreByNameIsRestoredByName(t *testing.T) {
	src := newMemory()
	src.set("a", number(1))
	src.set("b", number(2))
	src.set("c", number(3))
	named := func(name string) *trackable.Variable[float32] { return trackable.NewScalar[float32](name, 0) }
	a, b, c, d := named("a"), named("b"), named("c"), named("c")
	root := tree("a", a)
	s, err := trackable.RestoreByName(root, src, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	root.Track("b", b)
	wantValue(t, "b", b, 2)
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
	b.Value[0] = 9
	root.Track("b again", b)
	wantValue(t, "b, had already", b, 9)
	sub := tree("c", c)
	root.Track("sub", sub)
	wantValue(t, "c, which was there before its parent", c, 0)
	sub.Track("d", d)
	wantValue(t, "d", d, 3)
	err = s.AssertNontrivialMatch()
	if !errors.Is(err, trackable.ErrNotMatched) || !strings.HasSuffix(err.Error(), ": (root).sub.c") {
		t.Errorf("AssertNontrivialMatch = %v, want (root).sub.c", err)
	}
	root.Track("wide", trackable.NewScalar[float64]("a", 7))
	if err := s.Err(); !errors.Is(err, trackable.ErrNotMatched) || !strings.Contains(err.Error(), "deferred restore of wide") {
		t.Errorf("Err = %v, want that wide does not fit", err)
	}
}

func TestTheLaterOfTwoRestoresByNameWins(t *testing.T) {
	one, two := newMemory(), newMemory()
	one.set("a", number(1))
	one.set("b", number(1))
	two.set("a", number(2))
	root := tree()
	for _, src := range []*memory{one, two} {
		if _, err := trackable.RestoreByName(root, src, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	a, b := trackable.NewScalar[float32]("a", 0), trackable.NewScalar[float32]("b", 0)
	root.Track("a", a).Track("b", b)
	wantValue(t, "a", a, 2)
	wantValue(t, "b", b, 1)
}

// TestARestoreByNamesForgetsNoLaterRestore of an object that has no place of
// its own to remember it.
func TestARestoreByNamesForgetsNoLaterRestore(t *testing.T) {
	old, later := newMemory(), saved(t, tree("late", trackable.State(&stamp{text: "2"})))
	old.set("w", number(1))
	root := tree("w", trackable.NewScalar[float32]("w", 0))
	s, err := trackable.RestoreByName(root, old, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trackable.Restore(root, later, nil); err != nil {
		t.Fatal(err)
	}
	late := new(stamp)
	root.Track("late", trackable.State(late))
	if late.text != "2" {
		t.Errorf("late = %q, want 2", late.text)
	}
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil: the later restore has it", err)
	}
}
