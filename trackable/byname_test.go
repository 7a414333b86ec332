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
