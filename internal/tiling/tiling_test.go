package tiling_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/tiling"
	"github.com/ckpt-dev/ckpt/tensor"
	"pgregory.net/rapid"
)

func region(t testing.TB, spec string, full tensor.Shape) tensor.Slice {
	t.Helper()
	s, err := tensor.ParseSlice(spec)
	if err == nil {
		s, err = s.Resolve(full)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCoverFindsTheSlicesOrSaysWhyNot(t *testing.T) {
	full := tensor.Shape{10, 4}
	for _, c := range []struct {
		stored, want string
		needed       []int
		err          string
	}{
		{"0,5:- 5,5:-", "-:-", []int{0, 1}, ""},
		{"5,5:- 0,5:-", "0,2:1,1", []int{1}, ""},
		{"0,5:- 5,5:0,2 5,5:2,2", "4,2:-", []int{0, 1, 2}, ""},
		{"0,5:-", "0,5:-", []int{0}, ""},
		{"0,5:-", "4,2:-", nil, "they hold 4 of its 8 elements"},
		{"0,5:- 6,4:-", "-:-", nil, "they hold 36 of its 40 elements"},
		{"0,5:- 4,6:-", "0,1:-", nil, "overlapping slices: existing slice = 0,5:0,4, new slice = 4,6:0,4"},
		{"0,5:- 7,2:1,1 6,4:-", "0,1:-", nil, "existing slice = 7,2:1,1, new slice = 6,4:0,4"},
	} {
		var stored []tensor.Slice
		for _, s := range strings.Fields(c.stored) {
			stored = append(stored, region(t, s, full))
		}
		got, err := tiling.Cover(stored, region(t, c.want, full))
		switch {
		case c.err == "" && (err != nil || !slices.Equal(got, c.needed)):
			t.Errorf("Cover(%s, %s) = %v, %v, want %v", c.stored, c.want, got, err, c.needed)
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("Cover(%s, %s) = %v, %v, want error %q", c.stored, c.want, got, err, c.err)
		}
	}
}

func TestTwoSlicesOfAScalarOverlap(t *testing.T) {
	if err := tiling.Disjoint(make([]tensor.Slice, 2)); err == nil {
		t.Error("Disjoint(two scalars) = nil")
	}
}

func TestDisjointAgreesWithTryingAllPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var regions []tensor.Slice
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			var r tensor.Slice
			for range 3 {
				r.Start = append(r.Start, int64(rapid.IntRange(0, 4).Draw(t, "start")))
				r.Length = append(r.Length, int64(rapid.IntRange(0, 3).Draw(t, "length")))
			}
			regions = append(regions, r)
		}
		overlaps := false
		for i, a := range regions {
			for _, b := range regions[:i] {
				_, both := a.Intersect(b)
				overlaps = overlaps || both
			}
		}
		if err := tiling.Disjoint(regions); (err != nil) != overlaps {
			t.Fatalf("Disjoint(%v) = %v, all pairs say %v", regions, err, overlaps)
		}
	})
}

func TestAHostileNumberOfSlicesIsRefusedInTime(t *testing.T) {
	regions := make([]tensor.Slice, 1<<14)
	for i := range regions {
		for d := range 14 {
			regions[i].Start = append(regions[i].Start, int64(i>>d&1))
			regions[i].Length = append(regions[i].Length, 1)
		}
	}
	if err := tiling.Disjoint(regions); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("Disjoint(2^14 corners) = %v", err)
	}
}
