package tfnames

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// docs maps each exported name of the public packages, written as in the
// table ("checkpoint.Manager.Save"), to its doc comment.
func docs(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if skip := d.Name(); path != root && (skip == "internal" || skip == "testdata" || skip == "interop" || strings.HasPrefix(skip, ".")) {
			return filepath.SkipDir
		}
		return addPackage(found, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// addPackage adds what the non-test files of a directory export, if it has any.
func addPackage(found map[string]string, dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		return nil
	}
	p, err := doc.NewFromFiles(fset, files, dir)
	if err != nil {
		return err
	}
	addNames(found, p)
	return nil
}

func addNames(found map[string]string, p *doc.Package) {
	for _, f := range p.Funcs {
		found[p.Name+"."+f.Name] = f.Doc
	}
	for _, v := range append(p.Consts, p.Vars...) {
		for _, n := range v.Names {
			found[p.Name+"."+n] = v.Doc
		}
	}
	for _, typ := range p.Types {
		name := p.Name + "." + typ.Name
		found[name] = typ.Doc
		for _, f := range typ.Funcs {
			found[p.Name+"."+f.Name] = f.Doc
		}
		for _, m := range typ.Methods {
			found[name+"."+m.Name] = m.Doc
		}
		addFields(found, name, typ.Decl)
	}
}

// addFields adds the fields of a struct and the methods of an interface.
func addFields(found map[string]string, name string, decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		var fields *ast.FieldList
		switch typ := spec.(*ast.TypeSpec).Type.(type) {
		case *ast.StructType:
			fields = typ.Fields
		case *ast.InterfaceType:
			fields = typ.Methods
		default:
			continue
		}
		for _, field := range fields.List {
			for _, n := range field.Names {
				found[name+"."+n.Name] = field.Doc.Text() + field.Comment.Text()
			}
		}
	}
}

func TestEveryGoNameExistsAndNamesItsOriginal(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := Parse(string(readme))
	if len(rows) < 20 {
		t.Fatalf("README's table has %d rows, want at least 20", len(rows))
	}
	for _, problem := range check(rows, docs(t)) {
		t.Error(problem)
	}
}

// check returns what is wrong with the table, given the doc comments.
func check(rows []Row, docs map[string]string) []string {
	var problems []string
	for _, row := range rows {
		var named []string
		for _, name := range row.Go {
			comment, ok := docs[name]
			if !ok {
				problems = append(problems, name+" does not exist")
			}
			named = append(named, Originals(comment)...)
		}
		for _, tf := range row.TensorFlow {
			if len(row.Go) > 0 && !slices.Contains(named, tf) {
				problems = append(problems, strings.Join(row.Go, ", ")+": no comment says (TensorFlow: "+tf+")")
			}
		}
	}
	return problems
}

func TestADeletedNameIsFound(t *testing.T) {
	rows := Parse("| TensorFlow | Go |\n|---|---|\n| `tf.train.Checkpoint` | `checkpoint.Checkpoint` |\n| `a`, `b` | `x.A`, `x.B` |\n| `run_restore_ops` | none: graph mode only |\n")
	got := check(rows, map[string]string{
		"x.A": "A is. (TensorFlow:\na, b)",
		"x.B": "B is not.",
	})
	want := []string{"checkpoint.Checkpoint does not exist", "checkpoint.Checkpoint: no comment says (TensorFlow: tf.train.Checkpoint)"}
	if !slices.Equal(got, want) {
		t.Errorf("check = %q, want %q", got, want)
	}
}
