// Package promises checks that each promise of docs/durability.md has a test.
package promises

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	given  = regexp.MustCompile(`(?m)^- \*\*(D\d+)\*\* `)
	quoted = regexp.MustCompile(`(?m)^Proves (D\d+(?:, D\d+)*)\.$`)
)

// Given returns the numbers of the promises in the text of docs/durability.md.
func Given(text string) (numbers []string) {
	for _, m := range given.FindAllStringSubmatch(text, -1) {
		numbers = append(numbers, m[1])
	}
	return numbers
}

// Tests maps each number to the tests under root whose doc comments have a line
// "Proves D3, D7.".
func Tests(root string) (map[string][]string, error) {
	tests := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return add(tests, root, path)
	})
	return tests, err
}

func add(tests map[string][]string, root, path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	in, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
			continue
		}
		for _, number := range quotedBy(f.Doc.Text()) {
			tests[number] = append(tests[number], filepath.ToSlash(in)+"."+f.Name.Name)
		}
	}
	return nil
}

func quotedBy(doc string) (numbers []string) {
	for _, m := range quoted.FindAllStringSubmatch(doc, -1) {
		numbers = append(numbers, strings.Split(m[1], ", ")...)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}
