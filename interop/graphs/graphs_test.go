package graphs

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// descriptions returns every golden description. That they build the graphs
// TensorFlow saved is tested where graphs are saved: trackable, checkpoint.
func descriptions(t *testing.T) []*Graph {
	t.Helper()
	files, err := filepath.Glob("../../trackable/testdata/tf/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d descriptions (%v), want at least 20", len(files), err)
	}
	var all []*Graph
	for _, file := range files {
		g, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

func mustBuild(t *testing.T, g *Graph) *Built {
	t.Helper()
	b, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnAlteredGraphDiffersUnlessItHasNoValues(t *testing.T) {
	for _, g := range descriptions(t) {
		hollow := g.Name == "hollow" || g.Name == "nothing"
		if err := mustBuild(t, g.Altered()).Differs(mustBuild(t, g)); (err == nil) != hollow {
			t.Errorf("%s: Differs() = %v", g.Name, err)
		}
		if err := mustBuild(t, g).Differs(mustBuild(t, g)); err != nil {
			t.Errorf("%s: Differs from itself: %v", g.Name, err)
		}
	}
}

func TestADescriptionSurvivesJSON(t *testing.T) {
	for _, g := range descriptions(t) {
		text, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		again := new(Graph)
		if err := json.Unmarshal(text, again); err != nil {
			t.Fatalf("%s: %v", g.Name, err)
		}
		if err := mustBuild(t, again).Differs(mustBuild(t, g)); err != nil {
			t.Errorf("%s: %v", g.Name, err)
		}
	}
}

func TestValuesAreDescribedAsTheyCame(t *testing.T) {
	for _, g := range descriptions(t) {
		for _, v := range g.Tensors {
			x, err := v.Tensor()
			if err != nil {
				t.Fatal(err)
			}
			got, err := ValueOf(v.Name, x)
			if err != nil || got.Value != v.Value || strings.Join(got.Strings, " ") != strings.Join(v.Strings, " ") {
				t.Errorf("ValueOf(%s) = %v, %v, want %v", v.Name, got, err, v)
			}
		}
	}
}

func TestWhatIsNoDescriptionIsAnError(t *testing.T) {
	for _, text := range []string{
		`{"objects": [{"kind": "sphere"}]}`,
		`{"objects": [{"kind": "variable", "dtype": "float32", "shape": [2], "value": "00"}]}`,
		`{"objects": [{"kind": "variable", "dtype": "resource", "shape": []}]}`,
		`{"objects": [{"kind": "list", "items": {}}]}`,
		`{"objects": [{"kind": "dict", "items": [["one"]]}]}`,
	} {
		g := new(Graph)
		if err := json.Unmarshal([]byte(text), g); err != nil {
			continue
		}
		if _, err := g.Build(); err == nil {
			t.Errorf("Build of %s succeeded", text)
		}
	}
}
