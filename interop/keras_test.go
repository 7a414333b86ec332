//go:build interop

package interop

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// eachKeras runs a test with Keras 3 and with tf-keras, each in its process.
func eachKeras(t *testing.T, test func(t *testing.T, p *process, tfKeras bool)) {
	t.Helper()
	t.Run("keras", func(t *testing.T) { test(t, tf, false) })
	t.Run("tf_keras", func(t *testing.T) { test(t, tfKeras(t), true) })
}

func tfKeras(t *testing.T) *process {
	t.Helper()
	p, err := startLegacy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustOf[R any](t *testing.T, p *process, call string, args map[string]any) R {
	t.Helper()
	result, err := askOf[R](t, p, call, args)
	if err != nil {
		t.Fatalf("Keras: %s: %v", call, err)
	}
	return result
}

func TestTheProcessesHaveTheKerasTheyAreCalledAfter(t *testing.T) {
	eachKeras(t, func(t *testing.T, p *process, _ bool) {
		want := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		if got := mustOf[string](t, p, "keras_flavor", nil); got != want {
			t.Errorf("tf.keras is %s, want %s", got, want)
		}
	})
}

// saves is a slog.Handler that remembers what was saved.
type saves struct {
	slog.Handler
	paths []string
}

func (s *saves) Enabled(context.Context, slog.Level) bool { return true }

func (s *saves) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "saved" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "path" {
				s.paths = append(s.paths, a.Value.String())
			}
			return true
		})
	}
	return nil
}

// ours runs our ModelCheckpoint through a history.
func ours(t *testing.T, h kerasHistory) [][]kerasOutcome {
	t.Helper()
	dir, log := mem.Dir(), new(saves)
	o := &callbacks.ModelCheckpointOptions{Monitor: h.Options.Monitor, Mode: callbacks.Mode(h.Options.Mode),
		SaveBestOnly: h.Options.SaveBestOnly, SaveWeightsOnly: h.Options.SaveWeightsOnly, Logger: slog.New(log)}
	if freq, ok := h.Options.SaveFreq.(int64); ok {
		o.Every = schedule.Steps(freq)
	} else if h.Options.Period > 0 {
		o.Every = schedule.Epochs(h.Options.Period)
	}
	if h.Options.Threshold != nil {
		v, err := strconv.ParseFloat(*h.Options.Threshold, 64)
		if err != nil {
			t.Fatal(err)
		}
		o.InitialValueThreshold = &v
	}
	var all [][]kerasOutcome
	for _, run := range h.Runs {
		c, err := callbacks.NewModelCheckpoint(dir, h.Options.Filepath, trackable.NewScalar("w", float32(0)), o)
		if err != nil {
			t.Fatal(err)
		}
		var outcomes []kerasOutcome
		for _, e := range run {
			log.paths = nil
			err := tell(c, e)
			outcomes = append(outcomes, kerasOutcome{Saved: log.paths, Error: pyClass(err)})
			if err != nil {
				return append(all, outcomes)
			}
		}
		all = append(all, outcomes)
	}
	return all
}

func tell(c callbacks.Callback, e kerasEvent) error {
	ctx := context.Background()
	switch e.On {
	case "train_begin":
		return c.OnTrainBegin(ctx)
	case "epoch_begin":
		return c.OnEpochBegin(ctx, e.Epoch)
	case "batch_end":
		return c.OnBatchEnd(ctx, e.Batch, e.logs())
	}
	return c.OnEpochEnd(ctx, e.Epoch, e.logs())
}

// class names an error as Python does.
func pyClass(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, callbacks.ErrNoValue):
		return "KeyError"
	}
	return err.Error()
}

func TestModelCheckpointSavesWhatKerasSaves(t *testing.T) {
	eachKeras(t, func(t *testing.T, p *process, tfKeras bool) {
		r := random(t)
		var histories []kerasHistory
		for range 150 {
			histories = append(histories, randomKerasHistory(r, tfKeras))
		}
		theirs := mustOf[[][][]kerasOutcome](t, p, "keras_checkpoint_runs", map[string]any{"histories": histories})
		whole, count, why := 0, 0, map[string]int{}
		for i, h := range histories {
			saved, reason := compareKeras(t, h, tfKeras, theirs[i], ours(t, h))
			count += saved
			if why[reason]++; reason == "" {
				whole++
			}
		}
		t.Logf("%d histories, %d to their ends, %d saves compared; ends of the others: %v", len(histories), whole, count, why)
		if whole < len(histories)/3 || count < 150 {
			t.Errorf("%d of %d histories compared to their ends, %d saves: that shows too little", whole, len(histories), count)
		}
	})
}

// compare compares event by event, to the end or to where we differ on
// purpose, and returns how many saves there were and why it ended.
func compareKeras(t *testing.T, h kerasHistory, tfKeras bool, theirs, ours [][]kerasOutcome) (saves int, reason string) {
	t.Helper()
	p := &kerasPurpose{h: h, tfKeras: tfKeras, last: -1}
	for run := range theirs {
		for i, want := range theirs[run] {
			e := h.Runs[run][i]
			if reason := p.differs(run, e, want.Asked); reason != "" {
				return saves, reason
			}
			if run >= len(ours) || i >= len(ours[run]) {
				t.Errorf("%v: run %d, event %d %+v: we had ended, Keras = %+v", h, run, i, e, want)
				return saves, "a difference"
			}
			got := ours[run][i]
			if !slices.Equal(got.Saved, want.Saved) || got.Error != want.Error {
				t.Errorf("%v: run %d, event %d %+v: saved %q, error %q, want %q, %q", h, run, i, e, got.Saved, got.Error, want.Saved, want.Error)
				return saves, "a difference"
			}
			saves += len(want.Saved)
		}
	}
	return saves, ""
}

// Each of the differences is one, and is what we say it is.
func TestWhereModelCheckpointDiffersFromKerasOnPurpose(t *testing.T) {
	epochs := func(values ...string) []kerasEvent {
		run := []kerasEvent{{On: "train_begin"}}
		for i, v := range values {
			logs := map[string]string{"val_loss": v}
			if v == "" {
				logs = nil
			}
			run = append(run, kerasEvent{On: "epoch_begin", Epoch: int64(i)}, kerasEvent{On: "epoch_end", Epoch: int64(i), Logs: logs})
		}
		return run
	}
	batches := func(last ...int64) []kerasEvent {
		run := []kerasEvent{{On: "train_begin"}, {On: "epoch_begin"}}
		for _, b := range last {
			run = append(run, kerasEvent{On: "batch_end", Batch: b, Logs: map[string]string{"val_loss": pyNumber(1 / float64(b))}})
		}
		return run
	}
	best := kerasOptions{Filepath: "{epoch}.weights.h5", Monitor: "val_loss", Mode: "min", SaveBestOnly: true, SaveWeightsOnly: true, SaveFreq: "epoch"}
	each := best
	each.SaveBestOnly, each.SaveFreq, each.Filepath = false, int64(6), "{batch}.weights.h5"
	bestOfBatches := best
	bestOfBatches.SaveFreq, bestOfBatches.Filepath = int64(1), "{batch}.weights.h5"
	for _, c := range []struct {
		name                  string
		h                     kerasHistory
		keras, tfKeras, wants string // what is saved
	}{
		{"a missing metric", kerasHistory{best, [][]kerasEvent{epochs("0.5", "", "0.4")}}, "1 2 3", "1 3", "1 3"},
		{"NaN first", kerasHistory{best, [][]kerasEvent{epochs("nan", "0.5", "0.4")}}, "1", "2 3", "2 3"},
		{"the worst first", kerasHistory{best, [][]kerasEvent{epochs("inf", "0.5", "0.6")}}, "1 2", "2", "2"},
		{"a restart", kerasHistory{best, [][]kerasEvent{epochs("0.4"), epochs("0.5")}}, "1 1", "1 1", "1"},
		{"a surplus", kerasHistory{each, [][]kerasEvent{batches(3, 7, 11, 15, 19, 23)}}, "8 16 24", "8 16 24", "8 12 20 24"},
		{"the best of batches", kerasHistory{bestOfBatches, [][]kerasEvent{batches(1, 2, 3)}}, "2 TypeError", "2 3 4", "2 3 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := map[string]any{"histories": []kerasHistory{c.h}}
			if got := told(mustOf[[][][]kerasOutcome](t, tf, "keras_checkpoint_runs", args)[0]); got != c.keras {
				t.Errorf("Keras 3 saved %s, want %s", got, c.keras)
			}
			if got := told(mustOf[[][][]kerasOutcome](t, tfKeras(t), "keras_checkpoint_runs", args)[0]); got != c.tfKeras {
				t.Errorf("tf-keras saved %s, want %s", got, c.tfKeras)
			}
			if got := told(ours(t, c.h)); got != c.wants {
				t.Errorf("we saved %s, want %s", got, c.wants)
			}
		})
	}
}

// told writes down what was saved, and how it ended.
func told(runs [][]kerasOutcome) string {
	var words []string
	for _, o := range slices.Concat(runs...) {
		for _, p := range o.Saved {
			words = append(words, strings.TrimSuffix(p, ".weights.h5"))
		}
		if o.Error != "" {
			words = append(words, o.Error)
		}
	}
	return strings.Join(words, " ")
}
