package promises

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestEachPromiseHasATest(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "durability.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := Tests(root)
	if err != nil {
		t.Fatal(err)
	}
	promised := Given(string(text))
	if len(promised) < 30 {
		t.Fatalf("docs/durability.md has %d promises, want at least 30", len(promised))
	}
	for _, number := range promised {
		slices.Sort(tests[number])
		t.Logf("%s: %v", number, tests[number])
		if len(tests[number]) == 0 {
			t.Errorf("no test says that it proves %s", number)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(tests)) {
		if !slices.Contains(promised, number) {
			t.Errorf("%v prove %s, which docs/durability.md does not promise", tests[number], number)
		}
	}
}

func TestOnlyAWholeLineQuotes(t *testing.T) {
	for doc, want := range map[string][]string{
		"TestX is one.\nProves D3, D12.\n":        {"D12", "D3"},
		"TestX is one.\n\nProves D3.\nProves D3.": {"D3"},
		"It proves D3.":                           nil,
		"Proves D3, nearly.":                      nil,
		"":                                        nil,
	} {
		if got := quotedBy(doc); !slices.Equal(got, want) {
			t.Errorf("quotedBy(%q) = %v, want %v", doc, got, want)
		}
	}
}

func TestPromisesAreNumberedLines(t *testing.T) {
	got := Given("- **D1** One.\n  And D9.\n- **D22** Two.\n**D3** no.\n")
	if want := []string{"D1", "D22"}; !slices.Equal(got, want) {
		t.Errorf("Given = %v, want %v", got, want)
	}
}
