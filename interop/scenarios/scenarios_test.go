package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repository writes a small one and returns its root.
func repository(t *testing.T, list, decisions, tests string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"interop/scenarios.txt": list, "DECISIONS.md": decisions, "a/a_test.go": tests,
		"a/testdata/b_test.go": "func TestScenario999NotATest(", "a/a.go": "func TestScenario998NotATest(",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	twoScenarios = "# comment\n001 first\n\n003 third\n"
	oneDiffers   = "| what | TensorFlow |\n|---|---|\n| something [3] | x |\n"
)

func TestEveryScenarioHasItsTest(t *testing.T) {
	for _, test := range []struct {
		name, list, decisions, tests string
		want                         []string // in what is printed; none: no error
	}{
		{"all", twoScenarios, oneDiffers, "func TestScenario001To003All(t *testing.T) {\n", nil},
		{"a missing one", twoScenarios, oneDiffers, "func TestScenario001One(t *testing.T) {\n", []string{"003 has no test: third"}},
		{"one too many", twoScenarios, oneDiffers, "func TestScenario001And003And007All(t *testing.T) {\n", []string{"007 is not in the list"}},
		{"a range too long", twoScenarios, oneDiffers, "func TestScenario001To004All(t *testing.T) {\n", []string{"004 is not in the list"}},
		{"an unknown difference", twoScenarios, "| what | TensorFlow |\n|---|---|\n| x [3, 9] | |\n", "func TestScenario001To003All(", []string{`009 is not in the list: DECISIONS.md, "x [3, 9]"`}},
		{"no number", twoScenarios, "", "func TestScenario001To003All(\nfunc TestScenario1(\n", []string{"TestScenario1 names no scenario"}},
	} {
		var out strings.Builder
		err := run(&out, repository(t, test.list, test.decisions, test.tests))
		if (err != nil) != (len(test.want) > 0) {
			t.Errorf("%s: run() = %v\n%s", test.name, err, &out)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: printed %q, want %q", test.name, &out, want)
			}
		}
	}
}

func TestCounts(t *testing.T) {
	var out strings.Builder
	if err := run(&out, repository(t, twoScenarios, oneDiffers, "func TestScenario001And003All(")); err != nil {
		t.Fatal(err)
	}
	want := "2 scenarios: 1 with a test that it is as in TensorFlow, 1 with a test of what we do instead, 0 without a test\n"
	if out.String() != want {
		t.Errorf("printed %q, want %q", &out, want)
	}
}

func TestListRefusesWhatIsNoScenario(t *testing.T) {
	for _, line := range []string{"first", "001", "x first", "001 first\n001 again"} {
		s := &scenarios{titles: map[int]string{}}
		if err := s.list(line); err == nil {
			t.Errorf("list(%q) = %v without an error", line, slices.Collect(maps.Keys(s.titles)))
		}
	}
}
