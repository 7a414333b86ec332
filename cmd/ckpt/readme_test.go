package main

import (
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmesGo returns the README's blocks of Go: a program, and snippets.
func readmesGo(t *testing.T) (program string, snippets []string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range strings.Split(string(readme), "```go\n")[1:] {
		block, _, ended := strings.Cut(after, "```\n")
		if !ended {
			t.Fatal("README.md has a block of Go without end")
		}
		snippets = append(snippets, block)
	}
	if len(snippets) < 2 {
		t.Fatal("README.md has no blocks of Go")
	}
	return snippets[0], snippets[1:]
}

// build compiles a program of this module and returns its path.
func build(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(file, []byte(source), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", program, file).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

func TestTheReadmesProgramRunsAndResumes(t *testing.T) {
	source, _ := readmesGo(t)
	dir, program := t.TempDir(), build(t, source)
	for _, want := range []string{"start at step 0 from \"\"\n", "start at step 1000 from \"ckpt-10\"\n"} {
		cmd := exec.Command(program)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("the README's program prints %q, %v, want %q", out, err, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "run-1", "*.index"))
	if err != nil || len(left) != 3 {
		t.Errorf("it leaves %q, %v, want 3 checkpoints", left, err)
	}
}

// surroundings is what the README's snippets take for granted.
const surroundings = `
var (
	ctx     context.Context
	c       *checkpoint.Checkpoint
	m       *checkpoint.Manager
	dir     storage.Dir
	objects checkpoint.Objects
	root    trackable.Object
	loss    float64
	model   trained
)

type trained struct{ Step int64 }

func (*trained) train() {}
func check(error) {}
func evaluate(path string) {}
func isFrozen(name string) bool { return false }
func metrics(context.Context) (map[string]float64, error) { return nil, nil }
func share(rank int) checkpoint.Objects                                              { return nil }
func work(rank int, c *checkpoint.Checkpoint) {}
func step(context.Context) error                                                     { return nil }
func batch(ctx context.Context, epoch, batch int64) (callbacks.Logs, error) { return nil, nil }
func validate(ctx context.Context, epoch int64) (callbacks.Logs, error) { return nil, nil }
func main() {}
`

// begun are the variables that a snippet declares for what comes after it.
var begun = regexp.MustCompile(`(?m)^(\w+(?:, \w+)*) := `)

func TestTheReadmesSnippetsCompile(t *testing.T) {
	_, snippets := readmesGo(t)
	source := new(strings.Builder)
	source.WriteString(surroundings)
	for i, snippet := range snippets {
		if formatted, err := format.Source([]byte(snippet)); err != nil || string(formatted) != snippet {
			t.Errorf("%v: gofmt makes of README.md's\n%s\n%s", err, snippet, formatted)
		}
		fmt.Fprintf(source, "func snippet%d() {\n%s", i, snippet)
		for _, names := range begun.FindAllStringSubmatch(snippet, -1) {
			fmt.Fprintf(source, "_ = []any{%s}\n", names[1])
		}
		source.WriteString("}\n")
	}
	build(t, "package main\n"+imports(source.String())+source.String())
}

// imports imports the packages that a program names.
func imports(program string) string {
	list := new(strings.Builder)
	for _, p := range []string{"context", "fmt", "log", "time"} {
		if strings.Contains(program, p+".") {
			fmt.Fprintf(list, "import %q\n", p)
		}
	}
	for _, p := range []string{"callbacks", "checkpoint", "coordinator", "experiment", "preemption", "retention", "schedule",
		"sharding", "storage", "storage/local", "summary", "trackable", "transfer"} {
		if strings.Contains(program, path.Base(p)+".") {
			fmt.Fprintf(list, "import %q\n", "github.com/ckpt-dev/ckpt/"+p)
		}
	}
	return list.String()
}
