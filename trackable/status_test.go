package trackable_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/trackable"
)

func TestAssertionsOfLoadStatus(t *testing.T) {
	pass, fail := true, false
	v := func() trackable.Object { return scalar(1) }
	counter := []trackable.Child{{Name: "save_counter", Object: scalar(0)}}
	for _, c := range []struct {
		name                           string
		stored, here                   *trackable.Node
		storedCounter, counterHere     bool
		consumed, existing, nontrivial bool
	}{
		{"same", tree("v", v()), tree("v", v()), false, false, pass, pass, pass},
		{"more stored", tree("v", v(), "w", v()), tree("v", v()), false, false, fail, pass, pass},
		{"more here", tree("v", v()), tree("v", v(), "w", v()), false, false, fail, fail, pass},
		{"other name", tree("v", v()), tree("w", v()), false, false, fail, fail, fail},
		{"nothing here", tree("v", v()), tree(), false, false, fail, pass, fail},
		{"empty containers stored", tree("v", v(), "l", trackable.NewList()), tree("v", v()), false, false, pass, pass, pass},
		{"empty containers here", tree("v", v()), tree("v", v(), "d", trackable.NewDict()), false, false, pass, pass, pass},
		{"only empty containers", tree("l", trackable.NewList()), tree("l", trackable.NewList()), false, false, pass, pass, pass},
		{"written, restored", tree("v", v()), tree("v", v()), false, true, pass, pass, pass},
		{"saved, read", tree("v", v()), tree("v", v()), true, false, pass, pass, pass},
		{"stored for a node without tensors", tree("v", v()), tree("v", tree()), false, false, fail, pass, pass},
		{"a node without tensors stored", tree("v", tree(), "w", v()), tree("v", v(), "w", v()), false, false, fail, fail, pass},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stored, here []trackable.Child
			if c.storedCounter {
				stored = counter
			}
			if c.counterHere {
				here = counter
			}
			s := restored(t, c.here, saved(t, c.stored, stored...),
				&trackable.RestoreOptions{Attached: here, Optional: []string{"save_counter"}})
			check := func(name string, err error, want bool) {
				if (err == nil) != want || err != nil && !errors.Is(err, trackable.ErrNotMatched) {
					t.Errorf("%s = %v, want it to pass: %v", name, err, want)
				}
			}
			check("AssertConsumed", s.AssertConsumed(), c.consumed)
			check("AssertExistingObjectsMatched", s.AssertExistingObjectsMatched(), c.existing)
			check("AssertNontrivialMatch", s.AssertNontrivialMatch(), c.nontrivial)
		})
	}
}

func TestAssertionsListAtMostTenNames(t *testing.T) {
	stored := tree()
	for i := range 12 {
		stored.Track("v"+string(rune('a'+i)), scalar(1))
	}
	s := restored(t, tree(), saved(t, stored), nil)
	err := s.AssertConsumed()
	want := "not matched: unresolved objects in the checkpoint: (root).va, "
	if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "(root).vj and 2 more") {
		t.Errorf("AssertConsumed = %v, want %s… and 2 more", err, want)
	}
}

func TestUntakenTensorsAreNamed(t *testing.T) {
	src := saved(t, tree("v", scalar(1)))
	s := restored(t, tree("v", tree()), src, nil)
	err := s.AssertConsumed()
	if want := "not matched: unused attributes, stored for an object that does not take them: (root).v (VARIABLE_VALUE)"; err == nil || err.Error() != want {
		t.Errorf("AssertConsumed = %v, want %v", err, want)
	}
	m := &many{}
	s = restored(t, tree("v", trackable.State(new(stamp)), "w", m), saved(t, tree("w", scalar(2))), nil)
	if got := m.got["VARIABLE_VALUE"]; !got.Equal(number(2)) || s.AssertExistingObjectsMatched() == nil {
		t.Errorf("an object of any kind got %v, want 2; the state is unmatched", m.got)
	}
}

func TestMatchExistingRefusesBeforeAnythingChanges(t *testing.T) {
	src := saved(t, tree("a", scalar(1), "old", scalar(2)))
	a, renamed := scalar(-1), scalar(-1)
	root := tree("a", a, "new", renamed)
	_, err := trackable.Restore(root, src, &trackable.RestoreOptions{MatchExisting: true})
	if !errors.Is(err, trackable.ErrNotMatched) || !strings.Contains(err.Error(), "(root).new") {
		t.Errorf("Restore() = %v, want ErrNotMatched and (root).new", err)
	}
	if a.Value[0] != -1 {
		t.Errorf("a = %v after the refusal, want -1", a.Value)
	}
	if _, err := trackable.Restore(root, src, nil); err != nil || a.Value[0] != 1 {
		t.Errorf("Restore() without it = %v, a = %v, want 1", err, a.Value)
	}
}
