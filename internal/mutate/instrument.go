package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// instrument writes the targets with all their mutants into the directory tmp,
// with an overlay that puts them in the place of the repository's.
func instrument(root, tmp string) (mutants []mutant, overlay string, err error) {
	replace := make(map[string]string)
	used := make(map[string]bool)
	count := 0
	for _, t := range targets {
		files, err := sources(root, t.files)
		if err != nil {
			return nil, "", err
		}
		for _, file := range files {
			if used[file] {
				return nil, "", fmt.Errorf("%s is the target of two rows", file)
			}
			used[file] = true
			c, err := mutate(root, file, t, func() int { count++; return count })
			if err != nil {
				return nil, "", err
			}
			if len(c.mutants) == 0 {
				continue
			}
			mutants = append(mutants, c.mutants...)
			if err := c.write(root, tmp, replace); err != nil {
				return nil, "", err
			}
		}
	}
	for _, o := range orders {
		if !used[o.file] {
			return nil, "", fmt.Errorf("%s of the rule %q is no target", o.file, o.what)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, "", err
	}
	overlay = filepath.Join(tmp, "overlay.json")
	return mutants, overlay, os.WriteFile(overlay, text, 0o666)
}

// sources returns the files of globs, without tests, below root.
func sources(root string, globs []string) ([]string, error) {
	var files []string
	for _, g := range globs {
		found, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(g)))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("there is no %s", g)
		}
		for _, f := range found {
			name, err := filepath.Rel(root, f)
			if err != nil {
				return nil, err
			}
			if name = filepath.ToSlash(name); !strings.HasSuffix(name, "_test.go") && !slices.Contains(files, name) {
				files = append(files, name)
			}
		}
	}
	return files, nil
}

// mutate reads a file and puts all its mutants into it.
func mutate(root, file string, t target, next func() int) (*code, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		return nil, err
	}
	c := &code{file: file, text: string(text), next: next}
	if err := c.apply(orders); err != nil {
		return nil, err
	}
	return c, c.operate(t)
}

var packageClause = regexp.MustCompile(`(?m)^package (\w+)$`)

// write writes the changed file, and what its package needs for it.
func (c *code) write(root, tmp string, replace map[string]string) error {
	name := packageClause.FindStringSubmatch(c.text)
	if name == nil {
		return fmt.Errorf("%s: no package clause", c.file)
	}
	put := func(as, text string) error {
		at := filepath.Join(tmp, strings.ReplaceAll(as, "/", "_"))
		replace[filepath.Join(root, filepath.FromSlash(as))] = at
		return os.WriteFile(at, []byte(text), 0o666)
	}
	dir := c.file[:strings.LastIndex(c.file, "/")]
	if err := put(dir+"/mutant.go", "package "+name[1]+"\n"+support); err != nil {
		return err
	}
	return put(c.file, c.edited())
}

// insertion is one half of an edit.
type insertion struct {
	at    int
	close bool
	other int // where the other half is
	order int
	text  string
}

// edited returns the text with all edits, of which one may be within another.
func (c *code) edited() string {
	var list []insertion
	for i, e := range c.edits {
		list = append(list, insertion{e.start, false, e.end, i, e.before}, insertion{e.end, true, e.start, i, e.after})
	}
	slices.SortFunc(list, func(a, b insertion) int {
		switch {
		case a.at != b.at:
			return a.at - b.at
		case a.close != b.close: // what ends here before what begins
			if a.close {
				return -1
			}
			return 1
		case a.close: // the inner one ends first
			return cmp.Or(b.other-a.other, b.order-a.order)
		}
		return cmp.Or(b.other-a.other, a.order-b.order) // the outer one begins first
	})
	var b strings.Builder
	last := 0
	for _, in := range list {
		b.WriteString(c.text[last:in.at])
		b.WriteString(in.text)
		last = in.at
	}
	b.WriteString(c.text[last:])
	return b.String()
}
