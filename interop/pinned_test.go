//go:build interop

package interop

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/interop/graphs"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
)

// TestTensorFlowsManagerLeavesWhatIsPinned: at work with max_to_keep 1 in a
// directory of ours it removes what we list, and neither a pinned checkpoint nor
// what nobody wrote as one; and we lose nothing of what it leaves.
//
// Proves D29.
func TestTensorFlowsManagerLeavesWhatIsPinned(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	keep, root := 1, 0
	v := (&maker{Rand: random(t)}).value(tensor.Float32)
	g := &graphs.Graph{Name: "pinned", Call: graphs.Manager, Saves: 1, MaxToKeep: &keep, Root: &root, Objects: []graphs.Object{
		{Kind: "node", Children: []graphs.Edge{{Name: "v", Object: 1}}}, {Kind: "variable", FullName: "v", Value: &v},
	}}
	ours := func(policy retention.Policy) *checkpoint.Manager {
		b := build(t, g)
		m, err := checkpoint.NewManager(ctx, checkpoint.New(b.Root(), b.Attached(), nil), local.Dir(dir), &checkpoint.ManagerOptions{Retention: policy})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := ours(retention.Latest(2))
	for i := range 5 {
		path, err := m.Save(ctx, nil)
		if err == nil && i == 1 {
			err = checkpoint.Pin(ctx, local.Dir(dir), path, "for the paper")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(ctx); err != nil {
		t.Fatal(err)
	}
	onlyCheckpoints(t, dir, "ckpt-2", "ckpt-4", "ckpt-5")

	turn := must[struct{ Restored, Saved string }](t, "manage", map[string]any{"graph": g, "directory": dir})
	if turn.Restored != dir+"/ckpt-5" || turn.Saved != dir+"/ckpt-6" {
		t.Errorf("TensorFlow's manager: %+v, want ckpt-5 restored and ckpt-6 saved", turn)
	}
	onlyCheckpoints(t, dir, "ckpt-2", "ckpt-6")
	must[any](t, "restore_graph", map[string]any{"graph": g, "path": filepath.Join(dir, "ckpt-2")})

	m = ours(retention.Latest(2))
	if path, err := m.RestoreOrInitialize(ctx); path != "ckpt-6" || err != nil {
		t.Errorf("RestoreOrInitialize() = %q, %v, want TensorFlow's ckpt-6", path, err)
	}
	if path, err := m.Save(ctx, nil); path != "ckpt-7" || err != nil {
		t.Errorf("Save() = %q, %v, want ckpt-7", path, err)
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	onlyCheckpoints(t, dir, "ckpt-2", "ckpt-6", "ckpt-7")
}
