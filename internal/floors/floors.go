// Package floors keeps imports going down only: its test reads the table in
// ARCHITECTURE.md and compares it with what the packages import, so that
// document and code cannot part.
package floors

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/mdtable"
)

// Table maps each package, named relative to the module, to the packages of
// the module that it may import. A name ending in "/..." means every package
// below; "..." every package.
type Table map[string][]string

// Parse reads the rows of a Markdown table whose first header cell is
// "package": the packages in the first column, joined by "·", and in the
// second what they may import, joined by commas, "–" for nothing.
func Parse(markdown string) (Table, error) {
	table := Table{}
	for _, row := range mdtable.Rows(markdown, "package") {
		if err := table.add(row[0], row[1]); err != nil {
			return nil, err
		}
	}
	if len(table) == 0 {
		return nil, fmt.Errorf("no table headed \"package\"")
	}
	return table, nil
}

func (t Table) add(packages, imports string) error {
	for _, p := range names(packages, "·") {
		if _, ok := t[p]; ok {
			return fmt.Errorf("%s: two rows", p)
		}
		t[p] = names(imports, ",")
	}
	return nil
}

func names(cell, sep string) []string {
	var list []string
	for name := range strings.SplitSeq(cell, sep) {
		name = strings.Trim(strings.TrimSpace(name), "`")
		if name != "" && name != "–" {
			list = append(list, name)
		}
	}
	return list
}

// Violations returns, sorted, a sentence for each import that the table does
// not allow, each package without a row, and each row without a package.
// imports maps each package to the packages of the module that it imports.
func (t Table) Violations(imports map[string][]string) []string {
	var found []string
	for pkg, list := range imports {
		allowed, ok := t[pkg]
		if !ok {
			found = append(found, pkg+" has no row in the table")
		}
		for _, i := range list {
			if ok && !allows(allowed, i) {
				found = append(found, pkg+" imports "+i)
			}
		}
	}
	for pkg := range t {
		if _, ok := imports[pkg]; !ok {
			found = append(found, pkg+" has a row and no package")
		}
	}
	slices.Sort(found)
	return found
}

func allows(allowed []string, pkg string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		prefix, below := strings.CutSuffix(a, "...")
		return a == pkg || below && strings.HasPrefix(pkg, prefix)
	})
}
