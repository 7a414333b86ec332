//go:build interop

package interop

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
)

// TestTensorFlowBesideParityAndQuarantine: it restores from a directory that
// has both, its manager removes nothing but what its max_to_keep governs, and
// what it leaves of ours we sweep.
//
// Proves D29.
func TestTensorFlowBesideParityAndQuarantine(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	keep, root := 1, 0
	v := (&maker{Rand: random(t)}).value(tensor.Float32)
	g := &graphs.Graph{Name: "healing", Call: graphs.Manager, Saves: 1, MaxToKeep: &keep, Root: &root, Objects: []graphs.Object{
		{Kind: "node", Children: []graphs.Edge{{Name: "v", Object: 1}}}, {Kind: "variable", FullName: "v", Value: &v},
	}}
	m := manager(t, g, dir)
	for range 4 {
		if _, err := m.Save(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	spoil(t, dir+"/ckpt-4.data-00000-of-00001")
	if err := os.Remove(dir + "/ckpt-4.parity-00000-of-00001"); err != nil { // else it would be mended
		t.Fatal(err)
	}
	if path, err := m.RestoreLatestValid(ctx); path != "ckpt-3" || err != nil {
		t.Fatalf("RestoreLatestValid() = %q, %v, want ckpt-3", path, err)
	}
	if err := m.Close(ctx); err != nil {
		t.Fatal(err)
	}
	aside := filesOf(t, dir+"/.ckpt.quarantine/ckpt-4")
	if got := must[string](t, "latest_checkpoint", map[string]any{"directory": dir}); got != dir+"/ckpt-3" {
		t.Errorf("tf.train.latest_checkpoint = %q, want ckpt-3", got)
	}
	for _, prefix := range []string{"ckpt-1", "ckpt-2", "ckpt-3"} {
		must[any](t, "restore_graph", map[string]any{"graph": g, "path": filepath.Join(dir, prefix)})
	}
	turn := must[struct{ Restored, Saved string }](t, "manage", map[string]any{"graph": g, "directory": dir})
	if turn.Restored != dir+"/ckpt-3" || turn.Saved != dir+"/ckpt-4" {
		t.Errorf("TensorFlow's manager: %+v, want ckpt-3 restored and ckpt-4 saved", turn)
	}
	onlyCheckpoints(t, dir, "ckpt-4")
	if now := filesOf(t, dir+"/.ckpt.quarantine/ckpt-4"); len(now) != 5 || !equal(now, aside) {
		t.Errorf("after TensorFlow's turn the quarantine has %d files, want %d as they were", len(now), len(aside))
	}
	if left := filesOf(t, dir); left["ckpt-3.parity-index"] == nil {
		t.Error("TensorFlow's manager has removed parity: the test shows nothing")
	}
	m = manager(t, g, dir)
	if path, err := m.RestoreOrInitialize(ctx); path != "ckpt-4" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want TensorFlow's ckpt-4", path, err)
	}
	if path, err := m.Save(ctx, nil); path != "ckpt-5" || err != nil {
		t.Errorf("Save() = %q, %v, want ckpt-5", path, err)
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	for name := range filesOf(t, dir) {
		if name != "checkpoint" && !strings.HasPrefix(name, "ckpt-4.") && !strings.HasPrefix(name, "ckpt-5.") {
			t.Errorf("%s is left", name)
		}
	}
}

// manager returns one of ours that writes parity and keeps all.
func manager(t *testing.T, g *graphs.Graph, dir string) *checkpoint.Manager {
	t.Helper()
	b := build(t, g)
	c := checkpoint.New(b.Root(), b.Attached(), &checkpoint.Options{Parity: true})
	m, err := checkpoint.NewManager(context.Background(), c, local.Dir(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func spoil(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err == nil {
		b[0] ^= 1
		err = os.WriteFile(name, b, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// filesOf returns the contents of the files in a directory, without hidden ones.
func filesOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(dir + "/[^.]*")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = b
	}
	return all
}

func equal(a, b map[string][]byte) bool {
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			return false
		}
	}
	return len(a) == len(b)
}
