package retention

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestTotalSizeIsWhatADiskHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := lists(t)
		if got, want := TotalSize(list), onDisk(list); got != want {
			t.Fatalf("TotalSize(%v) = %d, want %d", list, got, want)
		}
		order := rapid.Permutation(list).Draw(t, "order")
		if got, want := TotalSize(order), onDisk(list); got != want {
			t.Fatalf("TotalSize in another order = %d, want %d", got, want)
		}
	})
}

// TestMaxBytesDoesNotRemoveForWhatIsSharedTwice is ten saves of a frozen base:
// all fit, though the sum of their sizes is many times the limit.
func TestMaxBytesDoesNotRemoveForWhatIsSharedTwice(t *testing.T) {
	var list []Checkpoint
	for i := range 10 {
		list = append(list, Checkpoint{Path: fmt.Sprint("ckpt-", i), Size: 1034, Shared: []SharedFile{{"base", 1024}}})
	}
	for limit, want := range map[int64]int{1124: 0, 1123: 1, 1054: 7, 1033: 9, 0: 9} {
		removed := 0
		for i, v := range MaxBytes(limit).Judge(list) {
			if v.Fate == Remove {
				if removed++; i >= want {
					t.Errorf("MaxBytes(%d) removes %s, though it fits", limit, list[i].Path)
				}
			}
		}
		if removed != want {
			t.Errorf("MaxBytes(%d) removes %d, want %d", limit, removed, want)
		}
	}
}

// TestASizeThatIsWrongRemovesNothingElse: receipts may say anything.
func TestASizeThatIsWrongRemovesNothingElse(t *testing.T) {
	for name, list := range map[string][]Checkpoint{
		"larger than all":  {{Size: 5, Shared: []SharedFile{{"a", 10}}}, {Size: 5, Shared: []SharedFile{{"a", 10}}}},
		"negative":         {{Size: -5, Shared: []SharedFile{{"a", -10}}}, {Size: 5, Shared: []SharedFile{{"a", -10}}}},
		"twice in one":     {{Size: 5, Shared: []SharedFile{{"a", 2}, {"a", 2}}}, {}},
		"of two sizes":     {{Size: 5, Shared: []SharedFile{{"a", 2}}}, {Size: 5, Shared: []SharedFile{{"a", 5}}}},
		"beyond a number":  {{Size: math.MaxInt64}, {Size: math.MaxInt64, Shared: []SharedFile{{"a", math.MaxInt64}}}},
		"unknown, and not": {{Shared: []SharedFile{{"a", 3}}}, {Size: 5, Shared: []SharedFile{{"a", 3}}}},
	} {
		if both, one := TotalSize(list), TotalSize(list[:1]); both < one || one < 0 {
			t.Errorf("%s: TotalSize = %d, of the first alone %d, want no less and no less than 0", name, both, one)
		}
		if slices.ContainsFunc(MaxBytes(math.MaxInt64).Judge(list), func(v Verdict) bool { return v.Fate == Remove }) {
			t.Errorf("%s: MaxBytes of all there can be removes something", name)
		}
	}
}
