package callbacks_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestScenario135AFileAfterEachEpochInADirectoryThatIsMade(t *testing.T) {
	for _, mode := range []callbacks.Mode{callbacks.Auto, callbacks.Min, callbacks.Max} {
		root, m := filepath.Join(t.TempDir(), "not", "there"), newModel()
		c := modelCheckpoint(t, local.Dir(root), "sub/cp", m, &callbacks.ModelCheckpointOptions{Mode: mode})
		fit(t, m, 1, 3, nil, nil, c)
		wantOn(t, local.Dir(root), "sub/cp")
	}
}

func TestScenario136TheBestOfAMetricThatShouldRise(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{Monitor: "val_acc", Mode: callbacks.Max, SaveBestOnly: true}
	c := modelCheckpoint(t, dir, "cp-{epoch}", m, o)
	fit(t, m, 4, 1, nil, []callbacks.Logs{{"val_acc": .5}, {"val_acc": .4}, {"val_acc": .5}, {"val_acc": .6}}, c)
	wantOn(t, dir, "cp-1", "cp-4")
	if path, value := c.Best(); path != "cp-4" || value != .6 {
		t.Errorf("Best = %q, %v, want cp-4, 0.6", path, value)
	}
}

// Keras 3 warns and saves every time, over a model that was better.
func TestScenario137AMetricThatNobodyMeasuresSavesNothing(t *testing.T) {
	dir, m, log := mem.Dir(), newModel(), new(bytes.Buffer)
	o := &callbacks.ModelCheckpointOptions{Monitor: "unknown", Mode: callbacks.Min, SaveBestOnly: true, Logger: logger(log)}
	fit(t, m, 2, 1, nil, nil, modelCheckpoint(t, dir, "cp", m, o))
	wantOn(t, dir)
	if !strings.Contains(log.String(), "metric=unknown") {
		t.Errorf("log = %q, want a warning about unknown", log)
	}
}

// Keras warns and goes by the name of the metric.
func TestScenario138AModeThatNobodyKnowsIsAnError(t *testing.T) {
	_, err := callbacks.NewModelCheckpoint(mem.Dir(), "cp", newModel(), &callbacks.ModelCheckpointOptions{Mode: "mim"})
	if want := `model checkpoint: mode is "mim", want "auto", "min" or "max"`; err == nil || err.Error() != want {
		t.Errorf("NewModelCheckpoint = %v, want %s", err, want)
	}
}

func TestScenario139EveryFifteenBatches(t *testing.T) {
	for _, weightsOnly := range []bool{false, true} {
		dir, m := mem.Dir(), newModel()
		o := &callbacks.ModelCheckpointOptions{Every: schedule.Steps(15), SaveWeightsOnly: weightsOnly, Optimizer: newModel()}
		fit(t, m, 10, 5, nil, nil, modelCheckpoint(t, dir, "cp-{epoch:02d}", m, o))
		wantOn(t, dir, "cp-03", "cp-06", "cp-09")
	}
}

func TestScenario140FrequenciesThatAreRefused(t *testing.T) {
	for _, every := range []schedule.Schedule{schedule.Steps(0), schedule.Steps(-3), schedule.Epochs(0)} {
		_, err := callbacks.NewModelCheckpoint(mem.Dir(), "cp", newModel(), &callbacks.ModelCheckpointOptions{Every: every})
		if err == nil || !strings.Contains(err.Error(), "want 1 or more") {
			t.Errorf("NewModelCheckpoint = %v, want an error", err)
		}
	}
	for _, every := range []schedule.Schedule{nil, schedule.Steps(3)} {
		modelCheckpoint(t, mem.Dir(), "cp", newModel(), &callbacks.ModelCheckpointOptions{Every: every})
	}
}

func TestScenario141EveryBatchCountedFromOne(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{Every: schedule.Steps(1)}
	fit(t, m, 5, 2, nil, nil, modelCheckpoint(t, dir, "cp-{epoch}-{batch}", m, o))
	wantOn(t, dir, "cp-1-1", "cp-1-2", "cp-2-1", "cp-2-2", "cp-3-1", "cp-3-2", "cp-4-1", "cp-4-2", "cp-5-1", "cp-5-2")
}

func TestScenario142Thresholds(t *testing.T) {
	for _, c := range []struct {
		monitor   string
		mode      callbacks.Mode
		threshold float64
		saves     bool
	}{
		{"val_acc", callbacks.Max, -.01, true},
		{"val_loss", callbacks.Min, 0, false},
		{"val_loss", callbacks.Auto, 0, false},
		{"val_auc", callbacks.Auto, 1, false},
	} {
		dir, m := mem.Dir(), newModel()
		o := &callbacks.ModelCheckpointOptions{Monitor: c.monitor, Mode: c.mode, SaveBestOnly: true, InitialValueThreshold: &c.threshold}
		fit(t, m, 1, 1, nil, []callbacks.Logs{{c.monitor: .5}}, modelCheckpoint(t, dir, "cp", m, o))
		if saved := len(on(t, dir)) > 0; saved != c.saves {
			t.Errorf("%+v: saved = %v", c, saved)
		}
	}
}

func TestScenario143WhatWasSavedGivesTheSameWeights(t *testing.T) {
	for _, weightsOnly := range []bool{false, true} {
		dir, m, adam := mem.Dir(), newModel(), newModel()
		adam.set(7)
		o := &callbacks.ModelCheckpointOptions{SaveWeightsOnly: weightsOnly, Optimizer: adam}
		fit(t, m, 2, 3, nil, nil, modelCheckpoint(t, dir, "cp-{epoch}", m, o))
		r, err := checkpoint.Load(background(), dir, "cp-1")
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Info("optimizer/weight/.ATTRIBUTES/VARIABLE_VALUE")
		if has := err == nil; has == weightsOnly {
			t.Errorf("SaveWeightsOnly %v: optimizer saved = %v", weightsOnly, has)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		fresh := newModel()
		if _, err := checkpoint.New(fresh, nil, nil).Read(background(), dir, "cp-1"); err != nil || fresh.value() != 3 {
			t.Errorf("Read = %v, weight %v, want 3", err, fresh.value())
		}
	}
}

func TestScenario144ADirectoryWhereTheFileShouldBe(t *testing.T) {
	root, m := t.TempDir(), newModel()
	if err := os.Mkdir(filepath.Join(root, "cp.index"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := modelCheckpoint(t, local.Dir(root), "cp", m, nil)
	err := c.OnEpochEnd(background(), 0, nil)
	if err == nil || !strings.Contains(err.Error(), "cp.index") || !strings.Contains(err.Error(), "directory") {
		t.Errorf("OnEpochEnd = %v, want an error that cp.index is a directory", err)
	}
}

func TestScenario145APlaceholderForAMetricThatIsNotThere(t *testing.T) {
	m := newModel()
	c := modelCheckpoint(t, mem.Dir(), "cp-{epoch}-{val_loss:.2f}", m, nil)
	err := c.OnEpochEnd(background(), 0, callbacks.Logs{"loss": 1})
	want := `model checkpoint: epoch 1: pattern "cp-{epoch}-{val_loss:.2f}": "val_loss": no value`
	if !errors.Is(err, callbacks.ErrNoValue) || err.Error() != want {
		t.Errorf("OnEpochEnd = %v, want %s", err, want)
	}
	// Keras's {batch} at the end of an epoch is the same mistake.
	c = modelCheckpoint(t, mem.Dir(), "cp-{batch}", m, nil)
	if err := c.OnEpochEnd(background(), 0, nil); !errors.Is(err, callbacks.ErrNoValue) {
		t.Errorf("OnEpochEnd = %v, want ErrNoValue", err)
	}
}

// In tf-keras the logs may be tensors, which are read only when a save is due.
// Ours are numbers: when to read them is for the loop to decide, and no value
// of theirs is looked at in vain.
func TestScenario146LogsAreLeftAloneWhenNoSaveIsDue(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{Every: schedule.Steps(3)}
	c := modelCheckpoint(t, dir, "cp-{epoch}-{batch}-{acc:.1f}", m, o)
	for batch, logs := range []callbacks.Logs{nil, nil, {"acc": .5}} {
		if err := c.OnBatchEnd(background(), int64(batch), logs); err != nil {
			t.Errorf("OnBatchEnd(%d) = %v", batch, err)
		}
	}
	wantOn(t, dir, "cp-1-3-0.5")
}

// executions runs epochs of so many batches, several in one call.
func executions(t *testing.T, epochs, batches, each int64, c callbacks.Callback) {
	t.Helper()
	if err := c.OnTrainBegin(background()); err != nil {
		t.Fatal(err)
	}
	for epoch := range epochs {
		if err := c.OnEpochBegin(background(), epoch); err != nil {
			t.Fatal(err)
		}
		for done := each; done < batches+each; done += each {
			if err := c.OnBatchEnd(background(), min(done, batches)-1, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.OnEpochEnd(background(), epoch, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestScenario147And148TheCountOfBatchesGoesOnAcrossEpochs(t *testing.T) {
	for _, c := range []struct {
		freq, epochs, batches, each int64
		want                        []string
	}{
		{7, 1, 7, 7, []string{"1-7"}},
		{7, 2, 7, 7, []string{"1-7", "2-7"}},
		{7, 2, 14, 7, []string{"1-14", "1-7", "2-14", "2-7"}},
		{14, 2, 7, 7, []string{"2-7"}},
		{4, 3, 10, 1, []string{"1-4", "1-8", "2-10", "2-2", "2-6", "3-4", "3-8"}},
		// Keras saves at 8, 16 and 24: it throws away what is above 6 each time.
		{6, 1, 24, 4, []string{"1-12", "1-20", "1-24", "1-8"}},
	} {
		dir := mem.Dir()
		o := &callbacks.ModelCheckpointOptions{Every: schedule.Steps(c.freq)}
		executions(t, c.epochs, c.batches, c.each, modelCheckpoint(t, dir, "{epoch}-{batch}", newModel(), o))
		if got := on(t, dir); !slices.Equal(got, c.want) {
			t.Errorf("each %d of %d batches, %d at once: saved %v, want %v", c.freq, c.batches, c.each, got, c.want)
		}
	}
}

func TestBatchesAreCountedWhereNobodyTellsOfEpochs(t *testing.T) {
	dir := mem.Dir()
	c := modelCheckpoint(t, dir, "{n:g}", newModel(), &callbacks.ModelCheckpointOptions{Every: schedule.Steps(2)})
	for i, batch := range []int64{0, 0, 0, 1, 0} {
		if err := c.OnBatchEnd(background(), batch, callbacks.Logs{"n": float64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	wantOn(t, dir, "2", "4")
}

func TestScenario150EverySecondAndEveryFifthEpoch(t *testing.T) {
	for _, c := range []struct {
		period, epochs int64
		want           []string
	}{{2, 4, []string{"cp-02", "cp-04"}}, {5, 10, []string{"cp-05", "cp-10"}}} {
		dir, m := mem.Dir(), newModel()
		o := &callbacks.ModelCheckpointOptions{Every: schedule.Epochs(c.period)}
		fit(t, m, c.epochs, 2, nil, nil, modelCheckpoint(t, dir, "cp-{epoch:02d}", m, o))
		wantOn(t, dir, c.want...)
	}
}

func newest(t *testing.T, dir storage.Dir, pattern string) string {
	t.Helper()
	p, err := callbacks.ParsePattern(pattern)
	if err != nil {
		t.Fatal(err)
	}
	path, err := callbacks.Newest(background(), dir, p)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestScenario151TheNewestFileOfAPattern(t *testing.T) {
	root := t.TempDir()
	dir, c := local.Dir(root), checkpoint.New(newModel(), nil, nil)
	names := []string{"f.batch03epoch02", "f.batch02epoch02", "f.batch01epoch01", "other01"}
	for i, name := range names {
		if err := c.Write(background(), dir, name); err != nil {
			t.Fatal(err)
		}
		at := time.Unix([]int64{1000, 3000, 2000, 9000}[i], 0)
		if err := os.Chtimes(filepath.Join(root, name+".index"), at, at); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{
		"f.batch{batch:02d}epoch{epoch:02d}": "f.batch02epoch02",
		"f.batch{batch:02d}epoch02":          "f.batch02epoch02",
		"f.batch{batch:02d}epoch01":          "f.batch01epoch01",
		"f.batch03epoch02":                   "f.batch03epoch02",
		"g.batch{batch:02d}":                 "",
		"fxbatch{batch:02d}epoch{epoch:02d}": "", // the dot is no wild card
	} {
		if got := newest(t, dir, pattern); got != want {
			t.Errorf("Newest(%s) = %q, want %q", pattern, got, want)
		}
	}
	state := checkpoint.State{ModelCheckpointPath: "f.batch03epoch02", AllModelCheckpointPaths: []string{"f.batch03epoch02"}}
	if err := checkpoint.WriteState(background(), dir, state); err != nil {
		t.Fatal(err)
	}
	if got := newest(t, dir, "f.batch{batch:02d}epoch{epoch:02d}"); got != "f.batch03epoch02" {
		t.Errorf("Newest with a state file = %q, want what that names", got)
	}
	// What an interrupted overwrite leaves is no name of ours.
	if err := os.WriteFile(filepath.Join(root, "other02.recovery.index"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := newest(t, dir, "other{n}"); got != "other01" {
		t.Errorf("Newest with a state file about others = %q, want other01", got)
	}
}

func TestScenario152GoingOnFromTheNewestFile(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{LoadWeightsOnRestart: true}
	fit(t, m, 2, 3, nil, nil, modelCheckpoint(t, dir, "cp-{epoch}", m, o))
	again := newModel()
	if err := modelCheckpoint(t, dir, "cp-{epoch}", again, o).OnTrainBegin(background()); err != nil || again.value() != 6 {
		t.Errorf("OnTrainBegin = %v, weight %v, want that of cp-2, 6", err, again.value())
	}
	other := newModel()
	other.Track("bias", newModel())
	if err := modelCheckpoint(t, dir, "cp-{epoch}", other, o).OnTrainBegin(background()); err == nil {
		t.Error("OnTrainBegin with a model that has more = nil, want an error")
	}
}

// A writer of step directories: what OrbaxCheckpoint does.
func TestScenario160ADirectoryForEachStep(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{MaxToKeep: 1}
	fit(t, m, 3, 2, nil, nil, modelCheckpoint(t, dir, "{epoch}/model", m, o))
	wantOn(t, dir, "3/model")
	// Another training adds steps where the first one ended.
	o.Every, o.StepCounter = schedule.Steps(2), func() int64 { return int64(m.value()) }
	c := modelCheckpoint(t, dir, "{step}/model", m, o)
	for range 2 {
		m.step()
		if err := c.OnBatchEnd(background(), int64(m.value()), callbacks.Logs{"step": float64(m.value())}); err != nil {
			t.Fatal(err)
		}
	}
	wantOn(t, dir, "3/model", "8.0/model")
	_, err := callbacks.NewModelCheckpoint(dir, "{epoch}/model", m, &callbacks.ModelCheckpointOptions{Every: schedule.Steps(-1)})
	if err == nil {
		t.Error("NewModelCheckpoint with a frequency of -1 = nil, want an error")
	}
}

func ExampleModelCheckpoint() {
	dir, m := mem.Dir(), newModel()
	best, err := callbacks.NewModelCheckpoint(dir, "cp-{epoch:02d}-{val_loss:.2f}", m, &callbacks.ModelCheckpointOptions{
		SaveBestOnly: true,
		MaxToKeep:    2,
	})
	if err != nil {
		panic(err)
	}
	for epoch, loss := range []float64{.9, .7, .8, .456} {
		if err := best.OnEpochEnd(background(), int64(epoch), callbacks.Logs{"val_loss": loss}); err != nil {
			panic(err)
		}
	}
	fmt.Println(best.Files())
	fmt.Println(best.Best())
	// Output:
	// [cp-02-0.70 cp-04-0.46]
	// cp-04-0.46 0.456
}
