//go:build interop

package interop

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// waitScript is a training that saves and an evaluator that waits, in seconds.
type waitScript struct {
	saves       []float64
	busy        int // how long the evaluator takes for each
	minInterval int
	timeout     int
}

func (s waitScript) args() map[string]any {
	return map[string]any{"saves": s.saves, "busy": s.busy, "min_interval": s.minInterval, "timeout": s.timeout}
}

func passing(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// ours plays a script with our Iterator, in a bubble of its own clock.
func (s waitScript) ours(t *testing.T) []string {
	var got []string
	synctest.Test(t, func(t *testing.T) {
		ctx, dir, start := context.Background(), mem.Dir(), time.Now()
		m, err := checkpoint.NewManager(ctx, checkpoint.New(trackable.NewScalar("v", 1.0), nil, nil), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range s.saves {
			time.AfterFunc(passing(at), func() {
				if _, err := m.Save(ctx, nil); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait() // for those of the first moment
		note := func(what string) { got = append(got, fmt.Sprintf("%s at %v", what, time.Since(start).Seconds())) }
		o := &checkpoint.IteratorOptions{MinInterval: passing(float64(s.minInterval)), Timeout: passing(float64(s.timeout))}
		for path, err := range checkpoint.Iterator(ctx, dir, o) {
			if err != nil {
				t.Fatal(err)
			}
			note(path)
			time.Sleep(passing(float64(s.busy)))
		}
		note("end")
		time.Sleep(time.Hour) // what the training still saves
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return got
}

// theirs plays a script with TensorFlow's.
func theirs(t *testing.T, args map[string]any) []string {
	t.Helper()
	var got []string
	for _, e := range must[[][2]any](t, "iterate", args) {
		got = append(got, fmt.Sprintf("%v at %v", e[0], e[1]))
	}
	return got
}

// TestTheIteratorGivesOutWhatTensorFlowsDoes: on random scripts in which
// nothing happens at the moment of a look. Without a clock that stands still
// TensorFlow ends up to a second before the timeout.
func TestTheIteratorGivesOutWhatTensorFlowsDoes(t *testing.T) {
	r := random(t)
	for range 60 {
		s := waitScript{busy: r.IntN(5), minInterval: r.IntN(6), timeout: 1 + r.IntN(6)}
		at := -0.5
		for range r.IntN(8) {
			at += float64(1 + r.IntN(4))
			s.saves = append(s.saves, at)
		}
		if got, want := s.ours(t), theirs(t, s.args()); !slices.Equal(got, want) {
			t.Fatalf("script %+v: ours %q\nTensorFlow %q", s, got, want)
		}
	}
}

// TestTensorFlowAsksTheTimeoutFunctionAfterEveryCheckpoint: what DECISIONS.md
// says of it is still so.
func TestTensorFlowAsksTheTimeoutFunctionAfterEveryCheckpoint(t *testing.T) {
	args := waitScript{saves: []float64{0, 0.5}, timeout: 3}.args()
	args["done_at"] = 0
	if got, want := theirs(t, args), []string{"ckpt-1 at 0", "asked at 0", "end at 0"}; !slices.Equal(got, want) {
		t.Errorf("TensorFlow did %q, want %q", got, want)
	}
	args["done_at"], args["saves"] = 6, []float64{}
	if got, want := theirs(t, args), []string{"asked at 3", "asked at 6", "end at 6"}; !slices.Equal(got, want) {
		t.Errorf("TensorFlow did %q, want %q", got, want)
	}
	args["timeout"], args["done_at"] = 0.5, nil // it does not wait at all
	if got, want := theirs(t, args), []string{"end at 0"}; !slices.Equal(got, want) {
		t.Errorf("TensorFlow did %q, want %q", got, want)
	}
}
