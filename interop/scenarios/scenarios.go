package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/mdtable"
)

// scenarios is what the list, the tests and DECISIONS.md say of each number.
type scenarios struct {
	titles  map[int]string
	tests   map[int][]string // names
	differs map[int]string   // what is different
	strange []string         // tests whose name says no number
}

func read(root string) (*scenarios, error) {
	s := &scenarios{titles: map[int]string{}, tests: map[int][]string{}, differs: map[int]string{}}
	list, err := os.ReadFile(filepath.Join(root, "interop", "scenarios.txt"))
	if err != nil {
		return nil, err
	}
	if err := s.list(string(list)); err != nil {
		return nil, err
	}
	decisions, err := os.ReadFile(filepath.Join(root, "DECISIONS.md"))
	if err != nil {
		return nil, err
	}
	s.decide(string(decisions))
	return s, filepath.WalkDir(root, s.visit)
}

// list reads "007 title" lines; "#" begins a comment.
func (s *scenarios) list(text string) error {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		number, title, ok := strings.Cut(line, " ")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || s.titles[n] != "" {
			return fmt.Errorf("scenarios.txt: line %q: want a new number and a title", line)
		}
		s.titles[n] = title
	}
	return nil
}

var (
	bracketed = regexp.MustCompile(`\[(\d+(?:, *\d+)*)\]`)
	test      = regexp.MustCompile(`(?m)^func (TestScenario\w*)\(`)
	covers    = regexp.MustCompile(`^TestScenario(\d{3}(?:(?:To|And)\d{3})*)[A-Z]`)
)

// decide reads the numbers of what we do otherwise.
func (s *scenarios) decide(markdown string) {
	for _, row := range mdtable.Rows(markdown, "what") {
		for _, m := range bracketed.FindAllStringSubmatch(row[0], -1) {
			for number := range strings.SplitSeq(m[1], ",") {
				n, err := strconv.Atoi(strings.TrimSpace(number))
				if err != nil {
					continue // more digits than a number can have are no scenario
				}
				s.differs[n] = row[0]
			}
		}
	}
}

// visit reads the tests of a file.
func (s *scenarios) visit(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if name := d.Name(); d.IsDir() {
		if name == "testdata" || len(name) > 1 && name[0] == '.' {
			return filepath.SkipDir
		}
		return nil
	}
	if !strings.HasSuffix(path, "_test.go") {
		return nil
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, m := range test.FindAllStringSubmatch(string(source), -1) {
		s.addTest(m[1])
	}
	return nil
}

// addTest notes the numbers a test is for. Of a range, those that exist.
func (s *scenarios) addTest(name string) {
	m := covers.FindStringSubmatch(name)
	if m == nil {
		s.strange = append(s.strange, name)
		return
	}
	for part := range strings.SplitSeq(m[1], "And") {
		first, last, isRange := strings.Cut(part, "To")
		from, _ := strconv.Atoi(first) // three digits, by the expression
		s.tests[from] = append(s.tests[from], name)
		if !isRange {
			continue
		}
		to, _ := strconv.Atoi(last)
		for n := from + 1; n <= to; n++ {
			if s.titles[n] != "" || n == to {
				s.tests[n] = append(s.tests[n], name)
			}
		}
	}
}

func (s *scenarios) tested() (n int) {
	for k := range s.titles {
		if len(s.tests[k]) > 0 {
			n++
		}
	}
	return n
}

// differing counts those that differ and have a test of it.
func (s *scenarios) differing() (n int) {
	for k := range s.differs {
		if s.titles[k] != "" && len(s.tests[k]) > 0 {
			n++
		}
	}
	return n
}

// flaws returns a sentence for each thing that is not as it should be.
func (s *scenarios) flaws() []string {
	var list []string
	for _, n := range slices.Sorted(maps.Keys(s.titles)) {
		if len(s.tests[n]) == 0 {
			list = append(list, fmt.Sprintf("%03d has no test: %s", n, s.titles[n]))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(s.tests)) {
		if s.titles[n] == "" {
			list = append(list, fmt.Sprintf("%03d is not in the list: %s", n, strings.Join(s.tests[n], ", ")))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(s.differs)) {
		if s.titles[n] == "" {
			list = append(list, fmt.Sprintf("%03d is not in the list: DECISIONS.md, %q", n, s.differs[n]))
		}
	}
	for _, name := range s.strange {
		list = append(list, name+" names no scenario: want TestScenarioNNNTitle")
	}
	return list
}
