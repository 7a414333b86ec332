package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// operate finds the places of a file that can be mutated.
func (c *code) operate(t target) error {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, c.file, c.text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	o := &operator{code: c, target: t, at: func(p token.Pos) int { return files.Position(p).Offset }}
	for _, d := range f.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
			o.in = d.Name.Name
			ast.Inspect(d.Body, o.visit)
		}
	}
	return nil
}

type operator struct {
	*code
	target
	in string // the function
	at func(token.Pos) int
}

func (o *operator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		o.call(n)
	case *ast.SelectorExpr:
		o.soon(n)
	case *ast.BinaryExpr:
		o.sum(n)
	}
	return true
}

// name returns the last element of what is called, and what is before it.
func name(fun ast.Expr) (on, name string) {
	switch f := fun.(type) {
	case *ast.Ident:
		return "", f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name, f.Sel.Name
		}
		return "?", f.Sel.Name
	}
	return "", ""
}

func (o *operator) call(n *ast.CallExpr) {
	on, name := name(n.Fun)
	start, end := o.at(n.Pos()), o.at(n.End())
	if slices.Contains(o.calls, name) && !other(on, name) {
		id := o.add(start, "without "+o.snippet(start, end))
		o.wrap(start, end, fmt.Sprintf("mutantErr(%d, func() error { return ", id), " })")
	}
	switch x := (*ast.Ident)(nil); name {
	case "Commit":
		// In storage.Publish itself it would call itself without end.
		if x, _ = n.Fun.(*ast.SelectorExpr).X.(*ast.Ident); x != nil && o.in != "Publish" {
			o.published(n, x.Name)
		}
	case "CommitAll", "RemoveAll":
		o.waves(n)
	case "BetweenSweeps", "Exclusive", "InTurn", "Guarded":
		if on == "" || on == "dirlock" {
			fun := o.at(n.Fun.End())
			id := o.add(start, fmt.Sprintf("not within %s: %s", name, o.snippet(start, end)))
			o.wrap(start, fun, fmt.Sprintf("mutantPick(mutantOn(%d), mutant%s, ", id, name), ")")
		}
	}
}

// other reports whether a call only has the name of one of ours.
func other(on, name string) bool {
	return name == "Settle" && on != "" && on != "shelf" || name == "publish" && on == "s" || name == "Sync" && on == "m"
}

// published is a commit that is not made durable.
func (o *operator) published(n *ast.CallExpr, x string) {
	publish := "storage.Publish"
	if strings.HasPrefix(o.file, "storage/") && strings.Count(o.file, "/") == 1 {
		publish = "Publish"
	}
	start, end := o.at(n.Pos()), o.at(n.End())
	id := o.add(start, "published, not committed: "+o.snippet(start, end))
	o.wrap(start, end, fmt.Sprintf("mutantElse(%d, func() error { return %s(%s) }, func() error { return ", id, publish, x), " })")
}

// soon is a file that is written without being made durable.
func (o *operator) soon(n *ast.SelectorExpr) {
	if on, name := name(n); on != "storage" || name != "WriteFile" {
		return
	}
	start, end := o.at(n.Pos()), o.at(n.End())
	id := o.add(start, "storage.WriteFileSoon for storage.WriteFile")
	o.wrap(start, end, fmt.Sprintf("mutantPick(mutantOn(%d), storage.WriteFileSoon, ", id), ")")
}

// waves merges waves that follow each other, and swaps them. Before them are
// the context and the directory.
func (o *operator) waves(n *ast.CallExpr) {
	const first = 2
	if len(n.Args) < first+2 || n.Ellipsis.IsValid() {
		return
	}
	args := n.Args[first:]
	start, end := o.at(args[0].Pos()), o.at(args[len(args)-1].End())
	var base int
	for i, what := range []string{"in one wave", "in the wrong order"} {
		for j := range len(args) - 1 {
			id := o.add(start, fmt.Sprintf("%s: %s", what, o.snippet(o.at(args[j].Pos()), o.at(args[j+1].End()))))
			if i+j == 0 {
				base = id
			}
		}
	}
	o.wrap(start, end, fmt.Sprintf("mutantWaves(%d, ", base), ")...")
}

// told are names of what a file says of itself or of another.
var told = regexp.MustCompile(`(?i)crc|sum\b|sumof|digits|want\.size|f\.size|\.report\.size|running`)

// sum is a comparison with such a thing, which then always comes out right.
func (o *operator) sum(n *ast.BinaryExpr) {
	if !o.sums || n.Op != token.EQL && n.Op != token.NEQ {
		return
	}
	start, end := o.at(n.Pos()), o.at(n.End())
	if !told.MatchString(o.text[start:end]) || simple(n.X) || simple(n.Y) {
		return
	}
	id := o.add(start, "unchecked: "+o.snippet(start, end))
	if n.Op == token.EQL {
		o.wrap(start, end, "(", fmt.Sprintf(" || mutantOn(%d))", id))
	} else {
		o.wrap(start, end, "(", fmt.Sprintf(" && !mutantOn(%d))", id))
	}
}

// simple reports whether x is nil or a number: what is compared with that is
// no checksum.
func simple(x ast.Expr) bool {
	if id, ok := x.(*ast.Ident); ok {
		return id.Name == "nil" || id.Name == "err"
	}
	_, ok := x.(*ast.BasicLit)
	return ok
}
