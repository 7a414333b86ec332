package floors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ckpt-dev/ckpt"

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }

	Name, Dir                 string
	TestGoFiles, XTestGoFiles []string
}

// list returns what go list prints for args in a module's directory, as if
// there were no workspace.
func list(t *testing.T, dir string, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Imports,Module,Name,Dir,TestGoFiles,XTestGoFiles"}, args...)...)
	cmd.Dir = filepath.Join("..", "..", dir)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v\n%s", dir, err, &stderr)
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// watch opens what go list has read, because go test takes a result from its
// cache when nothing changed that the test itself has opened.
func watch(t *testing.T) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == ".git" {
			return cmp.Or(err, filepath.SkipDir)
		}
		if strings.HasSuffix(path, ".go") || strings.HasPrefix(d.Name(), "go.") {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// modules returns the directories that allmodules lists.
func modules(t *testing.T) []string {
	t.Helper()
	return strings.Fields(read(t, "allmodules"))
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func relative(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestImportsOnlyGoDown(t *testing.T) {
	watch(t)
	table, err := Parse(read(t, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatalf("ARCHITECTURE.md: %v", err)
	}
	imports := map[string][]string{}
	for _, dir := range modules(t) {
		for _, p := range list(t, dir, "./...") {
			name, _ := relative(p.ImportPath)
			imports[name] = nil
			for _, i := range p.Imports {
				if i, ours := relative(i); ours {
					imports[name] = append(imports[name], i)
				}
			}
		}
	}
	for _, v := range table.Violations(imports) {
		t.Error(v)
	}
}

// TestDependenciesAreTheListed compares deps.txt with the modules that the
// library (what a training program links) and the command need.
func TestDependenciesAreTheListed(t *testing.T) {
	got := "library\n" + needs(t, "./tensor/...", "./format/...", "./retention", "./trackable", "./storage/local", "./checkpoint") +
		"\ncommand\n" + needs(t, "./cmd/ckpt")
	if want := read(t, "deps.txt"); got != want {
		t.Errorf("dependencies are now:\n%s\ndeps.txt says:\n%s\nA new one needs a line in DECISIONS.md too.", got, want)
	}
}

func needs(t *testing.T, patterns ...string) string {
	var found []string
	for _, p := range list(t, ".", append([]string{"-deps"}, patterns...)...) {
		if !p.Standard && p.Module.Path != module {
			found = append(found, "  "+p.Module.Path+"\n")
		}
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), "")
}

func TestEveryPublicPackageHasAnExample(t *testing.T) {
	for _, dir := range modules(t) {
		for _, p := range list(t, dir, "./...") {
			name, _ := relative(p.ImportPath)
			public := p.Name != "main" && !strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "interop")
			if public && !slices.ContainsFunc(append(p.TestGoFiles, p.XTestGoFiles...), func(file string) bool {
				text, err := os.ReadFile(filepath.Join(p.Dir, file))
				if err != nil {
					t.Fatal(err)
				}
				return strings.Contains(string(text), "\nfunc Example") && strings.Contains(string(text), "// Output:")
			}) {
				t.Errorf("%s has no example that runs", name)
			}
		}
	}
}

func TestAPlantedImportIsFound(t *testing.T) {
	table, err := Parse("| package | may import |\n|---|---|\n| `tensor` · `storage` | – |\n| `format` | tensor |\n| `cli` | ... |\n| `gone` | – |\n")
	if err != nil {
		t.Fatal(err)
	}
	got := table.Violations(map[string][]string{
		"tensor":  nil,
		"format":  {"tensor"},
		"storage": {"tensor"},
		"cli":     {"format", "storage"},
		"new":     {"tensor"},
	})
	want := []string{"gone has a row and no package", "new has no row in the table", "storage imports tensor"}
	if !slices.Equal(got, want) {
		t.Errorf("Violations = %q, want %q", got, want)
	}
}

func TestATableMustBeThereAndNameAPackageOnce(t *testing.T) {
	if _, err := Parse("no table"); err == nil {
		t.Error("Parse of no table succeeded")
	}
	if _, err := Parse("| package | may import |\n|---|---|\n| a | – |\n| a | – |\n"); err == nil {
		t.Error("Parse of two rows for one package succeeded")
	}
}
