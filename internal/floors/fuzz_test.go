package floors

import (
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/mdtable"
)

// decodes tells code that takes bytes or texts apart which somebody else may
// have made.
var decodes = regexp.MustCompile(`json\.(Unmarshal|NewDecoder)\(|protowire\.Consume|prototext\.Unmarshal|snappy\.Decode|` +
	`binary\.U?[vV]arint\(|Endian\.Uint\d|bufio\.New(Scanner|Reader)|strconv\.(Parse|Atoi)|\.ParseBytes\(|time\.Parse|regexp\.Compile\(`)

// trusted are the packages that do so with nothing but our own files.
var trusted = []string{"internal/floors", "internal/promises", "internal/tfnames", "internal/golden", "internal/mdtable", "internal/torture",
	"internal/torture/kill", "internal/mutate"}

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// sources calls visit with every Go file of the module that the product or its
// tests are made of.
func sources(t *testing.T, visit func(dir, file, text string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".go") {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if part, _, _ := strings.Cut(rel, "/"); part != "interop" && part != "examples" && part != "adapters" && part != "bench" {
			visit(path.Dir(rel), path.Base(rel), read(t, rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryDecoderIsFuzzed holds the fuzz targets that there are, those that
// make fuzz runs, those in docs/fuzzing.md, and the packages that decode
// against each other.
func TestEveryDecoderIsFuzzed(t *testing.T) {
	var targets, decoders []string
	sources(t, func(dir, file, text string) {
		if strings.HasSuffix(file, "_test.go") {
			for _, m := range fuzzTarget.FindAllStringSubmatch(text, -1) {
				targets = append(targets, dir+" "+m[1])
			}
		} else if decodes.MatchString(text) && !slices.Contains(trusted, dir) && !slices.Contains(decoders, dir) {
			decoders = append(decoders, dir)
		}
	})
	var listed []string
	fuzzed := make(map[string]bool)
	for _, row := range mdtable.Rows(read(t, "docs/fuzzing.md"), "decoder") {
		dir := strings.Trim(row[1], "`")
		listed, fuzzed[dir] = append(listed, dir+" "+row[2]), true
	}
	same(t, "docs/fuzzing.md has", listed, targets)
	out, err := exec.Command("bash", "../fuzz.sh", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	reached := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(out), "./", "")), "\n")
	same(t, "internal/fuzz.sh runs", reached, targets)
	for _, dir := range decoders {
		if !fuzzed[dir] {
			t.Errorf("%s takes bytes or texts apart and has no fuzz target", dir)
		}
	}
	if len(decoders) < 10 {
		t.Errorf("only %q seem to decode anything", decoders)
	}
}

// same reports what is in one of two lists and not in the other.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s not %s", what, w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s %s, which is not there", what, g)
		}
	}
}
