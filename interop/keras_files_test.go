//go:build interop

package interop

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

func TestScenario151TheNewestFileAsTFKerasFindsIt(t *testing.T) {
	r := random(t)
	for range 15 {
		theirs, mine := t.TempDir(), t.TempDir()
		times := r.Perm(6)
		if r.IntN(4) == 0 {
			times = make([]int, 6) // all at once; see the next test for some
		}
		for _, seconds := range times[:1+r.IntN(6)] {
			name := "f" + strconv.Itoa(r.IntN(20)) + pick(r, "a", "b")
			writeAt(t, theirs, mine, name, int64(seconds))
			if r.IntN(8) == 0 {
				state := checkpoint.State{ModelCheckpointPath: name, AllModelCheckpointPaths: []string{name}}
				for _, root := range []string{theirs, mine} {
					if err := checkpoint.WriteState(context.Background(), local.Dir(root), state); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.WriteFile(filepath.Join(theirs, name+".index"), nil, 0o600); err != nil { // or the state file counts for nothing
					t.Fatal(err)
				}
			}
		}
		for _, pattern := range []string{"f{epoch:02d}a", "f{epoch}b", "f{epoch}{batch}", "f3a", "g{epoch}"} {
			want := mustOf[string](t, tfKeras(t), "keras_newest", map[string]any{"pattern": filepath.Join(theirs, pattern)})
			if got := newestOf(t, mine, pattern); got != strings.TrimSuffix(want, ".index") {
				t.Errorf("Newest(%s) = %q, want %q", pattern, got, want)
			}
		}
	}
}

// writeAt writes a file of Keras and a checkpoint of ours, which is where its
// index is.
func writeAt(t *testing.T, theirs, mine, name string, seconds int64) {
	t.Helper()
	at := time.Unix(1000+seconds, 0)
	for _, path := range []string{filepath.Join(theirs, name), filepath.Join(mine, name+".index")} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfSeveralNewestFilesTFKerasTakesAnOlderOne(t *testing.T) {
	theirs, mine := t.TempDir(), t.TempDir()
	for name, seconds := range map[string]int64{"f9": 1, "f3": 2, "f4": 2} {
		writeAt(t, theirs, mine, name, seconds)
	}
	got := mustOf[string](t, tfKeras(t), "keras_newest", map[string]any{"pattern": filepath.Join(theirs, "f{epoch}")})
	if ours := newestOf(t, mine, "f{epoch}"); got != "f9" || ours != "f4" {
		t.Errorf("of f9, which is older, f3 and f4 tf-keras takes %s, we %s, want f9 and f4", got, ours)
	}
}

func newestOf(t *testing.T, root, pattern string) string {
	t.Helper()
	p, err := callbacks.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	path, err := callbacks.Newest(context.Background(), local.Dir(root), p)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// sequential is a Sequential model of one Dense layer, as tf-keras saves it.
func sequential(weights []float32) trackable.Object {
	kernel := trackable.NewVariable("dense/kernel", []int64{1, int64(len(weights))}, weights)
	layer, root := new(trackable.Node), new(trackable.Node)
	layer.Track("kernel", kernel)
	root.Track("layer_with_weights-0", layer)
	return root
}

func TestScenario152TFKerasGoesOnFromOurNewestFile(t *testing.T) {
	root := t.TempDir()
	weights := []float32{0, 0, 0}
	c, err := callbacks.NewModelCheckpoint(local.Dir(root), "cp-{epoch:02d}", sequential(weights), nil)
	if err != nil {
		t.Fatal(err)
	}
	for epoch := range int64(3) {
		weights[1] = float32(epoch) + .5
		if err := c.OnEpochEnd(context.Background(), epoch, nil); err != nil {
			t.Fatal(err)
		}
	}
	got := mustOf[[]float32](t, tfKeras(t), "keras_load_on_restart", map[string]any{"pattern": filepath.Join(root, "cp-{epoch:02d}"), "weights": 3})
	if !reflect.DeepEqual(got, weights) {
		t.Errorf("tf-keras restored %v, want %v", got, weights)
	}
}
