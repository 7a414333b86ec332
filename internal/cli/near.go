package cli

import (
	"cmp"
	"slices"
	"strings"
)

// nearest returns up to n names that resemble what was asked for, best first:
// names that contain it, then names a few typing mistakes away from it, whole
// or in their last parts.
func nearest(want string, names []string, n int) []string {
	type scored struct {
		name  string
		score int
	}
	var list []scored
	limit := 1 + len(want)/5
	for _, name := range names {
		if d := distanceTo(want, name); d <= limit {
			list = append(list, scored{name, d})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(a.score, b.score) })
	var best []string
	for _, s := range list[:min(n, len(list))] {
		best = append(best, s.name)
	}
	return best
}

// distanceTo is 0 if name contains want, else the smallest edit distance to
// as many last parts of name as want has, or to all of it.
func distanceTo(want, name string) int {
	want, short := strings.ToLower(want), strings.ToLower(shortName(name))
	if strings.Contains(short, want) {
		return 0
	}
	parts := strings.Split(short, "/")
	tail := parts[max(0, len(parts)-1-strings.Count(want, "/")):]
	return min(editDistance(want, strings.Join(tail, "/")), editDistance(want, short))
}

// editDistance counts the bytes to insert, delete or replace to make b of a.
// Names much longer than sensible are far from everything: the cost is the
// product of the lengths, and names come from files.
func editDistance(a, b string) int {
	if len(a) > 256 || len(b) > 256 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
