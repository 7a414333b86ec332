package main

import (
	"fmt"
	"slices"
)

// spread is a median and what it is the median of.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of the values, of which there is at least one.
func spreadOf(values []float64) spread {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return spread{Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// text writes three figures of the median and two of its ends.
func (s spread) text() string {
	return fmt.Sprintf("%s [%s..%s]", figures(s.Median, 3), figures(s.Min, 2), figures(s.Max, 2))
}

// figures writes n figures of f, without an exponent.
func figures(f float64, n int) string {
	decimals := n - 1
	for g := f; g >= 10 && decimals > 0; g /= 10 {
		decimals--
	}
	for g := f; g < 1 && g > 0 && decimals < n+2; g *= 10 {
		decimals++
	}
	return fmt.Sprintf("%.*f", decimals, f)
}
