package checkpoint_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// The golden files are TensorFlow's own; interop/golden/README.md says how
// each was made. Writing the same bytes is golden_test.go's; this is reading.

func TestWhatTensorFlowSavedIsRestoredWhole(t *testing.T) {
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
			restored := build(t, g.Altered())
			restoreGolden(t, g, restored)
			if err := restored.Differs(build(t, g)); err != nil {
				t.Error(err)
			}
		})
	}
}

func build(t *testing.T, g *graphs.Graph) *graphs.Built {
	t.Helper()
	b, err := g.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// restoreGolden restores what TensorFlow saved of g and wants all of it used.
func restoreGolden(t *testing.T, g *graphs.Graph, b *graphs.Built) {
	t.Helper()
	ctx := context.Background()
	dir := storage.ReadOnly(local.Dir(filepath.Join("testdata/tf", g.Name)))
	c := checkpoint.New(b.Root(), b.Attached(), nil)
	for _, late := range b.Late() {
		c.Track(late.Name, late.Object)
	}
	restore, path := c.Read, "ckpt"
	if g.Call != graphs.Write {
		latest, err := checkpoint.Latest(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		restore, path = c.Restore, latest
	}
	status, err := restore(ctx, dir, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := status.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed() = %v", err)
	}
	if g.Call != graphs.Write && c.SaveCounter() != int64(g.Saves) {
		t.Errorf("SaveCounter() = %d, want %d", c.SaveCounter(), g.Saves)
	}
}

// TestLoadReadsEveryGoldenCheckpoint opens both formats by their paths, from
// one directory each, and compares every tensor with what TensorFlow read.
func TestLoadReadsEveryGoldenCheckpoint(t *testing.T) {
	for _, places := range []string{"../format/tensorbundle/testdata/tf", "../format/tensorslice/testdata/tf"} {
		dir, described := unpacked(t, places)
		if len(described) < 5 {
			t.Fatalf("only %d golden checkpoints in %s", len(described), places)
		}
		for name, want := range described {
			t.Run(filepath.Base(filepath.Dir(filepath.Dir(places)))+"/"+name, func(t *testing.T) {
				compareTensors(t, dir, name, want)
			})
		}
	}
}

func compareTensors(t *testing.T, dir storage.Dir, path string, want []graphs.Value) {
	t.Helper()
	ctx := context.Background()
	r, err := checkpoint.Load(ctx, dir, path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.Verify(ctx, nil); err != nil {
		t.Errorf("Verify() = %v", err)
	}
	var names []string
	for _, v := range want {
		names = append(names, v.Name)
		info, err := r.Info(v.Name)
		if err != nil || info.DType.String() != v.DType || !info.Shape.Equal(v.Shape) {
			t.Errorf("Info(%q) = %v, %v, want %s %v", v.Name, info, err, v.DType, v.Shape)
		}
		if v.DType == "variant" {
			continue // opaque to TensorFlow too
		}
		have, err := r.Tensor(v.Name)
		if err != nil {
			t.Errorf("Tensor(%q): %v", v.Name, err)
			continue
		}
		if wanted, err := v.Tensor(); err != nil || !have.Equal(wanted) {
			t.Errorf("Tensor(%q) is another value (%v)", v.Name, err)
		}
	}
	got := r.Names()
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("Names() = %q, want %q", got, names)
	}
}

// unpacked returns the files of a directory, those in .gz unpacked, and what
// the JSON files say of each checkpoint's tensors.
func unpacked(t *testing.T, path string) (storage.Dir, map[string][]graphs.Value) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, described := mem.Dir(), map[string][]graphs.Value{}
	for _, e := range entries {
		name, data := unpack(t, filepath.Join(path, e.Name()))
		if name, ok := strings.CutSuffix(name, ".json"); ok {
			var d struct{ Tensors []graphs.Value }
			if err := json.Unmarshal(data, &d); err != nil {
				t.Fatal(err)
			}
			described[name] = d.Tensors
			continue
		}
		if err := storage.WriteFile(context.Background(), dir, name, data); err != nil {
			t.Fatal(err)
		}
	}
	return dir, described
}

func unpack(t *testing.T, file string) (name string, data []byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	name, packed := strings.CutSuffix(filepath.Base(file), ".gz")
	var r io.Reader = f
	if packed {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	data, err = io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name, data
}
