// Package coordinatortest tests that a coordinator.Group keeps the promises
// of package coordinator. A backend's own test is one call:
//
//	func TestGroup(t *testing.T) { coordinatortest.Run(t, newGroup) }
package coordinatortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
)

// Run runs one subtest per promise. open returns the members of a new group of
// n workers, by rank.
func Run(t *testing.T, open func(t *testing.T, n int) []coordinator.Group) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, g []coordinator.Group)
	}{
		{"1 everyone has a place", places},
		{"2 all get the same", same},
		{"2 what was given may be changed after the call", given},
		{"2 nobody is answered before all have called", barrier},
		{"3 rounds of one name meet in order", inOrder},
		{"3 rounds of different names do not wait for each other", apart},
		{"4 a member that leaves ends the round for those that wait", leaving},
		{"4 a member whose context has ended ends the round for those that come later", gone},
		{"4 a member whose context has ended ends the round also as the last to come", goneLast},
		{"4 a member that has left comes to the next round", again},
		{"4 the rounds after one that was left are as if nothing had happened", after},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t, 3)) })
	}
}

// each calls do for every member at once and waits for all.
func each(g []coordinator.Group, do func(m coordinator.Group)) {
	var all sync.WaitGroup
	for _, m := range g {
		all.Go(func() { do(m) })
	}
	all.Wait()
}

// says is what member rank gives to a round.
func says(rank int, what any) []byte { return fmt.Appendf(nil, "%d says %v", rank, what) }

// wantAll gathers what each member says and checks the answer.
func wantAll(t *testing.T, m coordinator.Group, round string, what any) {
	t.Helper()
	got, err := m.AllGather(t.Context(), round, says(m.Rank(), what))
	if err != nil || len(got) != m.Size() {
		t.Errorf("worker %d: AllGather(%q) = %d answers, %v, want %d", m.Rank(), round, len(got), err, m.Size())
		return
	}
	for rank, b := range got {
		if want := says(rank, what); string(b) != string(want) {
			t.Errorf("worker %d: AllGather(%q)[%d] = %q, want %q", m.Rank(), round, rank, b, want)
		}
	}
}

// wantLeft checks the answer of a round that another member has left.
func wantLeft(t *testing.T, m coordinator.Group, round string) {
	t.Helper()
	got, err := m.AllGather(t.Context(), round, nil)
	if got != nil || !errors.Is(err, coordinator.ErrLeft) {
		t.Errorf("worker %d: AllGather(%q) = %q, %v, want nil and %v", m.Rank(), round, got, err, coordinator.ErrLeft)
	}
}

func places(t *testing.T, g []coordinator.Group) {
	var ranks []int
	for _, m := range g {
		ranks = append(ranks, m.Rank())
		if m.Size() != len(g) {
			t.Errorf("worker %d: Size() = %d, want %d", m.Rank(), m.Size(), len(g))
		}
	}
	if want := []int{0, 1, 2}; !slices.Equal(ranks, want) {
		t.Errorf("ranks are %v, want %v", ranks, want)
	}
}

func same(t *testing.T, g []coordinator.Group) {
	each(g, func(m coordinator.Group) { wantAll(t, m, "a round/with: any name", "hello") })
}

func given(t *testing.T, g []coordinator.Group) {
	each(g, func(m coordinator.Group) {
		mine := says(m.Rank(), "this")
		got, err := m.AllGather(t.Context(), "r", mine)
		clear(mine)
		if _, err := m.AllGather(t.Context(), "cleared", nil); err != nil {
			t.Error(err)
		}
		for rank, b := range got {
			if want := says(rank, "this"); err != nil || string(b) != string(want) {
				t.Errorf("worker %d: got %q from %d (%v), want %q", m.Rank(), b, rank, err, want)
			}
		}
	})
}

func barrier(t *testing.T, g []coordinator.Group) {
	var called atomic.Int32
	for i := range 20 {
		each(g, func(m coordinator.Group) {
			called.Add(1)
			wantAll(t, m, "r", i)
			if n, want := int(called.Load()), (i+1)*len(g); n < want {
				t.Errorf("worker %d is answered when %d have called, want %d", m.Rank(), n, want)
			}
		})
	}
}

func inOrder(t *testing.T, g []coordinator.Group) {
	each(g, func(m coordinator.Group) {
		for i := range 100 {
			wantAll(t, m, "r", i)
		}
	})
}

func apart(t *testing.T, g []coordinator.Group) {
	each(g, func(m coordinator.Group) {
		var both sync.WaitGroup
		names := []string{"a", "b", "c"}
		// Each begins with another one, so that any wait would be for ever.
		for i := range names {
			name := names[(i+m.Rank())%len(names)]
			both.Go(func() { wantAll(t, m, name, name) })
		}
		both.Wait()
	})
}

func leaving(t *testing.T, g []coordinator.Group) {
	ctx, leave := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() { wantLeft(t, g[0], "r") })
	waiting.Go(func() {
		if got, err := g[1].AllGather(ctx, "r", nil); got != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("AllGather = %q, %v, want nil and %v", got, err, context.Canceled)
		}
	})
	leave()
	waiting.Wait()
	wantLeft(t, g[2], "r")
}

func gone(t *testing.T, g []coordinator.Group) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if got, err := g[1].AllGather(ctx, "r", nil); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("AllGather = %q, %v, want nil and %v", got, err, context.Canceled)
	}
	wantLeft(t, g[2], "r")
	wantLeft(t, g[0], "r")
}

func goneLast(t *testing.T, g []coordinator.Group) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	var waiting sync.WaitGroup
	waiting.Go(func() { wantLeft(t, g[0], "r") })
	waiting.Go(func() { wantLeft(t, g[2], "r") })
	if got, err := g[1].AllGather(ctx, "r", nil); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("AllGather = %q, %v, want nil and %v", got, err, context.Canceled)
	}
	waiting.Wait()
}

func again(t *testing.T, g []coordinator.Group) {
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if got, err := g[1].AllGather(ctx, "r", nil); got != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("AllGather = %q, %v, want nil and %v", got, err, context.Canceled)
	}
	each(g, func(m coordinator.Group) {
		if m.Rank() != 1 {
			wantLeft(t, m, "r")
		}
		wantAll(t, m, "r", "the second")
	})
}

func after(t *testing.T, g []coordinator.Group) {
	leaving(t, g)
	each(g, func(m coordinator.Group) {
		wantAll(t, m, "r", "again")
		wantAll(t, m, "other", "at last")
	})
}
