//go:build interop

package interop

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/interop/graphs"
)

// TestRandomGraphsHaveTheSameBytes has both sides build and save one graph.
// Every file must be the same, but for the times in the state file; and each
// side must restore what the other saved.
func TestRandomGraphsHaveTheSameBytes(t *testing.T) {
	eachRandomGraph(t, func(t *testing.T, g *graphs.Graph) {
		theirs, ours := t.TempDir(), t.TempDir()
		must[string](t, "save_graph", map[string]any{"graph": g, "directory": theirs})
		path := save(t, g, build(t, g), ours)
		sameFiles(t, ours, theirs)
		restore(t, g, theirs)
		restoreByTensorFlow(t, g, path)
	})
}

// TestGoldenGraphsStillHaveTheSameBytes has today's TensorFlow save the golden
// graphs again: it must write what the golden files say, so that those are
// known to be of the version installed.
func TestGoldenGraphsStillHaveTheSameBytes(t *testing.T) {
	files, err := filepath.Glob("../trackable/testdata/tf/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d golden graphs (%v), want at least 20", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			g, err := graphs.Read(file)
			if err != nil {
				t.Fatal(err)
			}
			if g.KeepEveryHours != 0 {
				t.Log("its clock is replaced when golden files are made; saved by ours in package checkpoint")
				return
			}
			theirs := t.TempDir()
			must[string](t, "save_graph", map[string]any{"graph": g, "directory": theirs})
			sameFiles(t, filepath.Join("../checkpoint/testdata/tf", g.Name), theirs)
			path := save(t, g, build(t, g), t.TempDir())
			if g.Name == "marks" {
				return // TensorFlow writes these names and looks for others
			}
			restoreByTensorFlow(t, g, path)
		})
	}
}

// restoreByTensorFlow has TensorFlow restore a checkpoint of ours into altered
// objects, all of it consumed, and compares every value.
func restoreByTensorFlow(t *testing.T, g *graphs.Graph, path string) {
	t.Helper()
	restored := must[[][]graphs.Value](t, "restore_graph", map[string]any{
		"graph": g.Altered(), "path": path, "read": g.Call == graphs.Write,
	})
	want := build(t, g)
	for i := range g.Objects {
		values, err := want.Values(i)
		if err != nil {
			t.Fatal(err)
		}
		if !want.Saved(i) {
			continue
		}
		for j, v := range values {
			if j >= len(restored[i]) || !sameValue(restored[i][j], v) {
				t.Errorf("TensorFlow restored object %d as %v, want %v", i, restored[i], values)
				break
			}
		}
	}
}

func sameValue(a, b graphs.Value) bool {
	return a.DType == b.DType && a.Shape.Equal(b.Shape) && a.Value == b.Value &&
		strings.Join(a.Strings, ",") == strings.Join(b.Strings, ",")
}

// times are the lines of a state file that differ from run to run.
var times = regexp.MustCompile(`(?m)^(all_model_checkpoint_timestamps|last_preserved_timestamp): .*\n`)

// sameFiles compares two directories byte for byte. Receipts are ours alone.
func sameFiles(t *testing.T, ours, theirs string) {
	t.Helper()
	have, want := files(t, ours), files(t, theirs)
	for name := range have {
		if _, ok := want[name]; !ok && !strings.HasSuffix(name, ".receipt.json") && !strings.HasPrefix(name, ".") {
			t.Errorf("we have %s, TensorFlow has not", name)
		}
	}
	for name, data := range want {
		got, ok := have[name]
		if !ok {
			t.Errorf("TensorFlow has %s, we have not", name)
			continue
		}
		if name == "checkpoint" {
			if n, m := len(times.FindAll(got, -1)), len(times.FindAll(data, -1)); n != m {
				t.Errorf("checkpoint has %d times, TensorFlow's %d", n, m)
			}
			got, data = times.ReplaceAll(got, nil), times.ReplaceAll(data, nil)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%s differs from TensorFlow's:\n%q\nwant\n%q", name, got, data)
		}
	}
}

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for _, e := range entries {
		if e.IsDir() {
			continue // where locks and leases are
		}
		if found[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return found
}
