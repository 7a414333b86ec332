package callbacks_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestATrainingStopsWhenNothingImproves(t *testing.T) {
	half := .5
	for _, c := range []struct {
		name   string
		o      callbacks.EarlyStoppingOptions
		values []float64
		want   float32 // epochs trained
	}{
		{"at once", callbacks.EarlyStoppingOptions{}, []float64{3, 2, 2, 1}, 3},
		{"never in the first epoch", callbacks.EarlyStoppingOptions{}, []float64{math.NaN(), 3, 4, 1}, 3},
		{"with patience", callbacks.EarlyStoppingOptions{Patience: 2}, []float64{3, 4, 2, 5, 6, 1}, 5},
		{"with a delta", callbacks.EarlyStoppingOptions{MinDelta: .5}, []float64{3, 2.6, 1}, 2},
		{"a baseline", callbacks.EarlyStoppingOptions{Patience: 3, Baseline: &half}, []float64{3, 2, 1, .9, 1, 1}, 5},
		{"late", callbacks.EarlyStoppingOptions{StartFromEpoch: 3}, []float64{1, 2, 3, 4, 3, 5, 1}, 6},
		{"upwards", callbacks.EarlyStoppingOptions{Mode: callbacks.Max}, []float64{1, 2, 3, 2, 9}, 4},
		{"not at all", callbacks.EarlyStoppingOptions{}, []float64{5, 4, 3, 2}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := callbacks.NewEarlyStopping(&c.o)
			if err != nil {
				t.Fatal(err)
			}
			var logs []callbacks.Logs
			for _, v := range c.values {
				logs = append(logs, callbacks.Logs{"val_loss": v})
			}
			for range 2 { // it may be used again
				m := newModel()
				if fit(t, m, int64(len(logs)), 1, nil, logs, e); m.value() != c.want {
					t.Errorf("stopped after %v epochs, want %v", m.value(), c.want)
				}
			}
		})
	}
}

func TestTheBestWeightsComeBack(t *testing.T) {
	m := newModel()
	e, err := callbacks.NewEarlyStopping(&callbacks.EarlyStoppingOptions{Patience: 2, RestoreBestWeights: mem.Dir(), Model: m})
	if err != nil {
		t.Fatal(err)
	}
	fit(t, m, 9, 1, nil, []callbacks.Logs{{"val_loss": 3}, {"val_loss": 1}, {"val_loss": 2}, {"val_loss": 2}}, e)
	if m.value() != 2 {
		t.Errorf("weight = %v, want that of the second epoch, 2", m.value())
	}
	if _, err := callbacks.NewEarlyStopping(&callbacks.EarlyStoppingOptions{Model: m}); err == nil {
		t.Error("NewEarlyStopping with a model but no place = nil, want an error")
	}
	if _, err := callbacks.NewEarlyStopping(&callbacks.EarlyStoppingOptions{Monitor: "quality"}); err == nil {
		t.Error("NewEarlyStopping without a direction = nil, want an error")
	}
}

func TestARestartDoesNotForgetHowLongNothingImproved(t *testing.T) {
	dir, logs := mem.Dir(), []callbacks.Logs{{"val_loss": 1}, {"val_loss": 2}, {"val_loss": 2}, {"val_loss": 2}}
	train := func(stop *interrupt) float32 {
		m := newModel()
		e, err := callbacks.NewEarlyStopping(&callbacks.EarlyStoppingOptions{Patience: 3})
		if err != nil {
			t.Fatal(err)
		}
		b, err := callbacks.NewBackupAndRestore(dir, checkpoint.Objects{"model": m, "stopping": e.State()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		fit(t, m, 9, 1, stop, logs, e, b)
		if err := b.Close(background()); err != nil {
			t.Fatal(err)
		}
		return m.value()
	}
	train(&interrupt{3, 0})
	if got := train(nil); got != 4 {
		t.Errorf("stopped after %v epochs, want 4", got)
	}
}

func TestAllOfAListAreToldWhateverOneReturns(t *testing.T) {
	failing := errors.New("failing")
	for _, c := range []struct {
		returns []error
		want    error
	}{
		{[]error{nil, nil}, nil},
		{[]error{callbacks.ErrStop, nil}, callbacks.ErrStop},
		{[]error{failing, nil}, failing},
		{[]error{callbacks.ErrStop, failing}, failing},
	} {
		var list callbacks.List
		told := 0
		for _, err := range c.returns {
			list = append(list, &returning{err: err, told: &told})
		}
		if err := list.OnEpochEnd(background(), 0, nil); !errors.Is(err, c.want) || told != len(c.returns) {
			t.Errorf("OnEpochEnd of %v = %v, %d told, want %v and all", c.returns, err, told, c.want)
		}
		if err := list.OnEpochEnd(background(), 0, nil); errors.Is(err, failing) && errors.Is(err, callbacks.ErrStop) {
			t.Errorf("OnEpochEnd = %v, an error and ErrStop", err)
		}
	}
}

type returning struct {
	callbacks.None
	err  error
	told *int
}

func (r *returning) OnEpochEnd(_ context.Context, _ int64, _ callbacks.Logs) error {
	*r.told++
	return r.err
}

// stopper ends the training at one of its events.
type stopper struct {
	callbacks.None
	begin, epoch bool
	ended        int
}

func (s *stopper) OnTrainBegin(context.Context) error        { return stopIf(s.begin) }
func (s *stopper) OnEpochBegin(context.Context, int64) error { return stopIf(s.epoch) }
func (s *stopper) OnTrainEnd(context.Context) error          { s.ended++; return callbacks.ErrStop }
func stopIf(stop bool) error {
	if stop {
		return callbacks.ErrStop
	}
	return nil
}

func TestACallbackMayEndTheTrainingAtAnyEvent(t *testing.T) {
	for _, c := range []struct {
		stopper stopper
		want    int
	}{
		{stopper{begin: true}, 0},
		{stopper{epoch: true}, 0},
		{stopper{}, 4},
	} {
		first, second, trained := c.stopper, stopper{}, 0
		training := callbacks.Training{Epochs: 2, Batches: 2, Step: func(context.Context, int64, int64) (callbacks.Logs, error) {
			trained++
			return nil, nil
		}}
		if err := callbacks.Fit(background(), training, &first, &second); err != nil {
			t.Errorf("%+v: Fit = %v, want nil: ErrStop is a good end", c.stopper, err)
		}
		if trained != c.want || first.ended != 1 || second.ended != 1 {
			t.Errorf("%+v: %d batches, told of the end %d and %d times, want %d, 1 and 1", c.stopper, trained, first.ended, second.ended, c.want)
		}
	}
}

func TestATrainingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(background())
	trained := 0
	training := callbacks.Training{Epochs: 2, Batches: 2, Step: func(context.Context, int64, int64) (callbacks.Logs, error) {
		trained++
		cancel()
		return nil, nil
	}}
	if err := callbacks.Fit(ctx, training); err != context.Canceled || trained != 1 {
		t.Errorf("Fit = %v after %d batches, want %v itself after 1", err, trained, context.Canceled)
	}
}

func TestWhatNothingCanSurpassIsRefused(t *testing.T) {
	nan := math.NaN()
	for _, o := range []callbacks.EarlyStoppingOptions{{MinDelta: nan}, {Baseline: &nan}} {
		if _, err := callbacks.NewEarlyStopping(&o); err == nil {
			t.Errorf("NewEarlyStopping(%+v) = nil, want an error", o)
		}
	}
}
