package main

import (
	"fmt"
	"regexp"
	"strings"
)

// mutant is one change of the code that a test has to notice.
type mutant struct {
	id   int
	file string // below the root
	line int
	what string
}

func (m mutant) String() string { return fmt.Sprintf("%s:%d %s", m.file, m.line, m.what) }

// code is the source of one package's file on its way to all its mutants. Each
// is compiled in, and takes effect where the environment has its number: so
// everything is built once, and not once for each.
type code struct {
	file    string
	text    string
	mutants []mutant
	next    func() int // numbers
	edits   []edit
}

// edit puts text before and after a piece of code, or, with both, around it.
type edit struct {
	start, end    int
	before, after string
}

func (c *code) add(at int, what string) int {
	m := mutant{id: c.next(), file: c.file, line: 1 + strings.Count(c.text[:at], "\n"), what: what}
	c.mutants = append(c.mutants, m)
	return m.id
}

func (c *code) wrap(start, end int, before, after string) {
	c.edits = append(c.edits, edit{start, end, before, after})
}

var spaces = regexp.MustCompile(`\s+`)

// snippet is a piece of code on one line, as a name for it.
func (c *code) snippet(start, end int) string {
	s := spaces.ReplaceAllString(c.text[start:end], " ")
	if len(s) > 70 {
		s = s[:67] + "..."
	}
	return s
}
