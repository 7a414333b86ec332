//go:build interop

package interop

import (
	"path/filepath"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// TestTensorFlowReadsTheStateFileThatDoctorWrites: of one that is empty, broken,
// missing, or names what is not there.
//
// Proves D29.
func TestTensorFlowReadsTheStateFileThatDoctorWrites(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "broken": "model_checkpoint_path: \"ckpt-1\n", "gone": "model_checkpoint_path: \"ckpt-9\"\n"} {
		root := t.TempDir()
		dir := local.Dir(root)
		v := trackable.NewVariable("v", tensor.Shape{1}, []float32{1})
		m, err := checkpoint.NewManager(t.Context(), checkpoint.New(nil, checkpoint.Objects{"v": v}, nil), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := m.Save(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := storage.WriteFile(t.Context(), dir, "checkpoint", []byte(text)); err != nil {
			t.Fatal(err)
		}
		r, err := doctor.Examine(t.Context(), dir, nil)
		if err == nil {
			r, err = r.Fix(t.Context(), nil)
		}
		if err != nil || len(r.Mended) != 1 {
			t.Fatalf("%s: mended %v, %v, want one", name, r, err)
		}
		got := must[string](t, "latest_checkpoint", map[string]any{"directory": root})
		if want := filepath.Join(root, "ckpt-3"); got != want {
			t.Errorf("%s: TensorFlow's latest_checkpoint is %q, want %q", name, got, want)
		}
	}
}
