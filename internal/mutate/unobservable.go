package main

import (
	"fmt"
	"slices"
	"strings"
)

// excuse is a mutant that no test can notice, and why that is so. A flush that
// is not needed is removed, not excused.
type excuse struct {
	file, what, reason string // what: the beginning
}

type excuses []excuse

var unobservable = excuses{
	{"trackable/stage.go", "without leaf.checkValues(", "an int of 64 bits holds what a file does; GOARCH=386 go test ./trackable notices"},
}

func (list excuses) of(m mutant) string {
	for _, e := range list {
		if e.file == m.file && strings.HasPrefix(m.what, e.what) {
			return e.reason
		}
	}
	return ""
}

// check refuses what excuses nothing, or has no reason.
func (list excuses) check(mutants []mutant) error {
	for _, e := range list {
		used := func(m mutant) bool { return list.of(m) == e.reason }
		if e.reason == "" || !slices.ContainsFunc(mutants, used) {
			return fmt.Errorf("%s: %q excuses no mutant, or has no reason", e.file, e.what)
		}
	}
	return nil
}
