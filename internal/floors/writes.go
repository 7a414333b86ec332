package floors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
)

// writing are the functions of the packages of the operating system that
// change files or names.
var writing = []string{
	"Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "Fallocate", "Ftruncate", "Lchown", "Link", "Linkat", "Mkdir", "MkdirAll",
	"MkdirTemp", "Mkfifo", "Mknod", "MoveFile", "MoveFileEx", "NewFile", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "Openat", "Pwrite", "Remove",
	"RemoveAll", "Rename", "Renameat", "Renameat2", "Rmdir", "Symlink", "Symlinkat", "TempDir", "TempFile", "Truncate", "Unlink", "Unlinkat", "Write",
	"WriteFile",
}

// system are the packages that writing are functions of. What only opens for
// reading is not among them, where it has a name of its own.
var system = map[string][]string{
	"os":                       {"Open", "NewFile", "OpenInRoot"},
	"io/ioutil":                nil,
	"syscall":                  nil,
	"golang.org/x/sys/unix":    nil,
	"golang.org/x/sys/windows": nil,
}

// Writes returns the calls in a Go file that could change a file or a name on
// the disk past package vfs, as "12: os.Rename".
func Writes(name string, src []byte) ([]string, error) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	called := make(map[string]string) // import paths by the names that the file has for them
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		if _, is := system[path]; is {
			called[localName(i, path)] = path
		}
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if path := ""; ok {
			if path, ok = called[x.Name]; ok && slices.Contains(writing, s.Sel.Name) && !slices.Contains(system[path], s.Sel.Name) {
				found = append(found, strconv.Itoa(files.Position(s.Pos()).Line)+": "+path+"."+s.Sel.Name)
			}
		}
		return true
	})
	return found, nil
}

// localName is what a file calls an import: the last element of these paths.
func localName(i *ast.ImportSpec, path string) string {
	if i.Name != nil {
		return i.Name.Name
	}
	for at := len(path) - 1; at >= 0; at-- {
		if path[at] == '/' {
			return path[at+1:]
		}
	}
	return path
}
