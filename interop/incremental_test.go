//go:build interop

package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// tensorSums are SHA-256 sums by the names of variables.
type tensorSums = map[string]string

// fineTuned is a model of which only the head is trained.
type fineTuned struct {
	vars   map[string]*trackable.Variable[float32]
	shapes map[string][]int64
}

func newFineTuned(t *testing.T) (m *fineTuned, objects checkpoint.Objects) {
	t.Helper()
	m = &fineTuned{make(map[string]*trackable.Variable[float32]), make(map[string][]int64)}
	objects = make(checkpoint.Objects)
	for name, shape := range map[string][]int64{
		"base0": {2048, 2048}, "base1": {2048, 2048}, "base2": {2048, 2048}, "base3": {1024, 4096}, // 64 MiB
		"head": {256, 1024}, // 1 MiB
		"bias": {7},
	} {
		n, err := tensor.Shape(shape).NumElements()
		if err != nil {
			t.Fatal(err)
		}
		v := trackable.NewVariable(name, shape, make([]float32, n))
		m.vars[name], m.shapes[name], objects[name] = v, shape, v
		m.fill(name, float32(len(name)))
	}
	return m, objects
}

func (m *fineTuned) fill(name string, x float32) {
	for i := range m.vars[name].Value {
		m.vars[name].Value[i] = x + float32(i%4099)/64
	}
}

func (m *fineTuned) sums(t *testing.T) tensorSums {
	t.Helper()
	all := make(tensorSums)
	for name, v := range m.vars {
		x, err := tensor.New(v.Shape, v.Value)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(x.Bytes())
		all[name] = hex.EncodeToString(sum[:])
	}
	return all
}

// TestIncrementalSavesAreReadByTensorFlow makes ten saves of a model with a base
// that stays and a head that is trained, with something that thaws in between.
// tf.train.load_checkpoint and tf.train.Checkpoint.restore read each of them, and
// the rest again when some were removed.
func TestIncrementalSavesAreReadByTensorFlow(t *testing.T) {
	for name, async := range map[string]*checkpoint.Async{"synchronous": nil, "asynchronous": {}} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			ctx, dir := context.Background(), local.Dir(at)
			model, objects := newFineTuned(t)
			c := checkpoint.New(nil, objects, &checkpoint.Options{Incremental: &checkpoint.Incremental{Rewrite: 4}, Async: async})
			m, err := checkpoint.NewManager(ctx, c, dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := make(map[string]tensorSums)
			linked := 0
			for i := range 10 {
				model.fill("head", float32(i))
				model.fill("bias", float32(-i))
				if i == 5 {
					model.fill("base3", 77)
				}
				s, err := m.Begin(ctx, nil)
				if err == nil {
					err = s.Wait(ctx)
				}
				if err != nil {
					t.Fatal(err)
				}
				want[s.Path()] = model.sums(t)
				if r, err := checkpoint.ReadReceipt(ctx, dir, s.Path()); err != nil {
					t.Fatal(err)
				} else if len(r.Files) > 2 {
					linked++
				}
			}
			if linked < 6 {
				t.Errorf("%d checkpoints have several data files, want 6 at least", linked)
			}
			tensorFlowReads(t, at, model.shapes, want)
			if err := checkpoint.Remove(ctx, dir, "ckpt-1", "ckpt-2", "ckpt-5", "ckpt-9"); err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(want, func(p string, _ tensorSums) bool {
				return p == "ckpt-1" || p == "ckpt-2" || p == "ckpt-5" || p == "ckpt-9"
			})
			tensorFlowReads(t, at, model.shapes, want)
			if err := m.Close(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func tensorFlowReads(t *testing.T, at string, shapes map[string][]int64, want map[string]tensorSums) {
	t.Helper()
	for p, sums := range want {
		got, err := ask[struct{ Loaded, Restored tensorSums }](t, "sums", map[string]any{"prefix": at + "/" + p, "shapes": shapes})
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		for how, read := range map[string]tensorSums{"load_checkpoint": got.Loaded, "restore": got.Restored} {
			if !maps.Equal(read, sums) {
				t.Errorf("%s: %s reads %v, want %v", p, how, read, sums)
			}
		}
	}
}
