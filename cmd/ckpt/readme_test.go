package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// readmeProgram is the README's first block of Go.
func readmeProgram(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, begun := strings.Cut(string(readme), "```go\n")
	program, _, ended := strings.Cut(after, "```\n")
	if !begun || !ended {
		t.Fatal("README.md has no block of Go")
	}
	return program
}

func TestTheReadmesProgramRunsAndResumes(t *testing.T) {
	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(readmeProgram(t)), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
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
