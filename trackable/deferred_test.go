package trackable_test

import (
	"errors"
	"runtime"
	"slices"
	"testing"
	"weak"

	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestTrackRestoresWhatWaited(t *testing.T) {
	src := saved(t, tree("branch", tree("v", scalar(4)), "w", scalar(5)))
	root := tree()
	s := restored(t, root, src, nil)
	if err := s.AssertExistingObjectsMatched(); err != nil {
		t.Errorf("AssertExistingObjectsMatched before = %v, want nil", err)
	}
	if s.AssertConsumed() == nil || s.AssertNontrivialMatch() != nil && !errors.Is(s.AssertNontrivialMatch(), trackable.ErrNotMatched) {
		t.Error("AssertConsumed before = nil, want an error")
	}
	v, w := scalar(-2), scalar(0)
	root.Track("branch", tree("v", v)) // built first, attached later
	wantValue(t, "v", v, 4)
	root.Track("w", w)
	wantValue(t, "w", w, 5)
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed after = %v, want nil", err)
	}
}

func TestDescendantsWaitInTheirOwnParent(t *testing.T) {
	src := saved(t, tree("l", trackable.NewList(scalar(1), scalar(2)), "d", trackable.NewDict().Set("k", scalar(3))))
	root, l, d := tree(), trackable.NewList(), trackable.NewDict()
	s := restored(t, root, src, nil)
	root.Track("l", l).Track("d", d)
	one, two, k := scalar(0), scalar(0), scalar(0)
	l.Append(one)
	l.Append(two)
	d.Set("k", k)
	wantValue(t, "l/0", one, 1)
	wantValue(t, "l/1", two, 2)
	wantValue(t, "d/k", k, 3)
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
}

func TestLaterRestoreWinsOverAnOlderThatWaited(t *testing.T) {
	older := saved(t, tree("a", scalar(1)))
	newer := saved(t, tree("b", scalar(2)))
	root, other, v := tree(), tree(), scalar(0)
	other.Track("b", v)
	restored(t, root, older, nil)
	restored(t, other, newer, nil)
	root.Track("a", v)
	wantValue(t, "v", v, 2)
}

func TestLaterOfTwoThatWaitedWins(t *testing.T) {
	one := saved(t, tree("a", tree("x", scalar(1), "y", scalar(1))))
	two := saved(t, tree("a", tree("x", scalar(2))))
	root := tree()
	restored(t, root, one, nil)
	restored(t, root, two, nil)
	x, y := scalar(0), scalar(0)
	root.Track("a", tree("x", x, "y", y))
	wantValue(t, "x", x, 2)
	wantValue(t, "y", y, 1)
}

func TestFailedDeferredRestoreIsToldByTheStatus(t *testing.T) {
	src := saved(t, tree("b", tree("v", scalar(1), "w", scalar(1))))
	root := tree()
	s := restored(t, root, src, nil)
	v, w := scalar(7), vector(7, 7)
	root.Track("b", tree("v", v, "w", w))
	wantValue(t, "v", v, 7)
	if got, want := s.Unused(), []string{"(root).b.v", "(root).b.w"}; !slices.Equal(got, want) {
		t.Errorf("Unused = %q, want %q", got, want)
	}
	var m *trackable.MismatchError
	for _, err := range []error{s.Err(), s.AssertConsumed(), s.AssertExistingObjectsMatched(), s.AssertNontrivialMatch()} {
		if !errors.As(err, &m) {
			t.Errorf("after a deferred restore failed: %v, want its *MismatchError", err)
		}
	}
}

func TestFailedRestoreLeavesNothingWaiting(t *testing.T) {
	src := saved(t, tree("v", scalar(1), "later", scalar(2)))
	root := tree("v", vector(1, 2))
	if _, err := trackable.Restore(root, src, nil); err == nil {
		t.Fatal("Restore = nil, want an error")
	}
	later := scalar(7)
	root.Track("later", later)
	wantValue(t, "later", later, 7)
}

func TestOnlyBranchesWithValuesWait(t *testing.T) {
	src := saved(t, tree("full", tree("v", scalar(1)), "bare", tree("x", tree())))
	root := tree()
	s := restored(t, root, src, nil)
	root.Track("bare", tree())
	if got := s.Unused(); len(got) != 1 || got[0] != "(root).full.v" {
		t.Errorf("Unused = %q, want (root).full.v", got)
	}
	if got := s.ExpectPartial().Unused(); got != nil {
		t.Errorf("Unused after ExpectPartial = %q, want none", got)
	}
}

// forgetful is a Saveable that does not remember which restore it is from.
type forgetful struct{ v *trackable.Variable[float32] }

func (f *forgetful) TrackableChildren() []trackable.Child { return nil }

func (f *forgetful) SerializeToTensors() ([]trackable.Attribute, error) {
	return f.v.SerializeToTensors()
}

func (f *forgetful) RestoreFromTensors(stored map[string]tensor.Tensor) error {
	return f.v.RestoreFromTensors(stored)
}

func TestLaterOfTwoThatWaitedWinsWhateverTheObject(t *testing.T) {
	one, two := saved(t, tree("a", scalar(1))), saved(t, tree("a", scalar(2)))
	root, f := tree(), &forgetful{scalar(0)}
	restored(t, root, one, nil)
	restored(t, root, two, nil)
	root.Track("a", f)
	wantValue(t, "a", f.v, 2)
}

// A State has no place of its own to remember its last restore in.
func TestLaterRestoreOfAStateWinsOverAnOlderThatWaited(t *testing.T) {
	late := func(s *stamp) *trackable.Node { return tree("s", trackable.State(s)) }
	one := saved(t, tree("late", late(&stamp{"one"})))
	two := saved(t, tree("now", late(&stamp{"two"})))
	s := new(stamp)
	root := tree("now", late(s))
	restored(t, root, one, nil)
	restored(t, root, two, nil)
	root.Track("late", late(s))
	if s.text != "two" {
		t.Errorf("state = %q, want two, of the later restore", s.text)
	}
	// Nothing waits any more: the next restore is not held up by that.
	root.Track("now", late(s))
	restored(t, root, one, nil)
	if s.text != "one" {
		t.Errorf("state = %q, want one", s.text)
	}
}

// One checkpoint gives an object but one node's tensors, also when another
// node is found for it later (checkpoint/restore.py, _single_restore).
func TestAnObjectIsRestoredOnceByOneRestore(t *testing.T) {
	src := saved(t, tree("a", scalar(1), "late", tree("b", scalar(2))))
	v := scalar(0)
	root := tree("a", v)
	restored(t, root, src, nil)
	root.Track("late", tree("b", v))
	wantValue(t, "v", v, 1)
}

// What a read left waiting counts for its status even when the counter came
// later, as a child of the root.
func TestOptionalChildMayComeAfterTheRestore(t *testing.T) {
	root := tree("v", scalar(0))
	s := restored(t, root, saved(t, tree("v", scalar(1))), &trackable.RestoreOptions{Optional: []string{"save_counter"}})
	root.Track("save_counter", trackable.NewScalar("save_counter", int64(0)))
	if err := s.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed = %v, want nil", err)
	}
}

func TestARestoreKeepsNothingOfWhatIsGone(t *testing.T) {
	root := tree("v", scalar(0), "s", trackable.State(new(stamp)))
	src := saved(t, tree("s", trackable.State(&stamp{"x"})))
	gone := func() weak.Pointer[stamp] {
		s := new(stamp)
		root.Track("s", trackable.State(s))
		restored(t, root, src, nil)
		root.Untrack("s")
		return weak.Make(s)
	}()
	runtime.GC()
	if gone.Value() != nil {
		t.Error("a State that was untracked is kept after its restore")
	}
	runtime.KeepAlive(root)
}
