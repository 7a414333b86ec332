package callbacks_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestTheBestIsRememberedOverARestart(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{SaveBestOnly: true}
	fit(t, m, 2, 1, nil, []callbacks.Logs{{"val_loss": .5}, {"val_loss": .3}}, modelCheckpoint(t, dir, "best", m, o))
	c := modelCheckpoint(t, dir, "best", m, o)
	m.set(100)
	fit(t, m, 1, 1, nil, []callbacks.Logs{{"val_loss": .4}}, c)
	if path, value := c.Best(); path != "best" || value != .3 {
		t.Errorf("Best = %q, %v, want best, 0.3", path, value)
	}
	if _, err := checkpoint.New(m, nil, nil).Read(background(), dir, "best"); err != nil || m.value() != 2 {
		t.Errorf("the best = weight %v, %v, want 2", m.value(), err)
	}
	fit(t, m, 1, 1, nil, []callbacks.Logs{{"val_loss": .2}}, c)
	if _, value := c.Best(); value != .2 {
		t.Errorf("Best after an improvement = %v, want 0.2", value)
	}
}

func TestNaNIsNeverTheBest(t *testing.T) {
	dir, m, log := mem.Dir(), newModel(), new(bytes.Buffer)
	o := &callbacks.ModelCheckpointOptions{SaveBestOnly: true, Logger: logger(log)}
	nan := callbacks.Logs{"val_loss": math.NaN()}
	fit(t, m, 4, 1, nil, []callbacks.Logs{nan, {"val_loss": .5}, nan, {"val_loss": .4}}, modelCheckpoint(t, dir, "cp-{epoch}", m, o))
	wantOn(t, dir, "cp-2", "cp-4")
	if got := strings.Count(log.String(), "is NaN"); got != 2 {
		t.Errorf("warnings about NaN = %d, want 2", got)
	}
}

// A metric of the epoch's end is not there after a batch: with Keras's integer
// save_freq such a best is never saved.
func TestTheBestMayBeAskedForBothAfterBatchesAndEpochs(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{SaveBestOnly: true, Every: schedule.Any(schedule.Steps(2), schedule.Epochs(1))}
	fit(t, m, 2, 3, nil, []callbacks.Logs{{"val_loss": .5}, {"val_loss": .4}}, modelCheckpoint(t, dir, "cp-{epoch}", m, o))
	wantOn(t, dir, "cp-1", "cp-2")
}

func TestOldFilesAreRemovedButNotWhatIsPinnedLeasedOrOfOthers(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	if err := checkpoint.New(m, nil, nil).Write(background(), dir, "mine"); err != nil {
		t.Fatal(err)
	}
	o := &callbacks.ModelCheckpointOptions{MaxToKeep: 2}
	fit(t, m, 3, 1, nil, nil, modelCheckpoint(t, dir, "cp-{epoch}", m, o))
	wantOn(t, dir, "cp-2", "cp-3", "mine")
	if err := checkpoint.Pin(background(), dir, "cp-2", "for the paper"); err != nil {
		t.Fatal(err)
	}
	lease, err := checkpoint.TakeLease(background(), dir, "cp-3", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := modelCheckpoint(t, dir, "cp-{epoch}", m, o)
	fit(t, m, 5, 1, nil, nil, from{epoch: 3}, c)
	wantOn(t, dir, "cp-2", "cp-3", "cp-4", "cp-5", "mine")
	if err := lease.Release(background()); err != nil {
		t.Fatal(err)
	}
	fit(t, m, 6, 1, nil, nil, from{epoch: 5}, c)
	wantOn(t, dir, "cp-2", "cp-5", "cp-6", "mine")
	if got, want := c.Files(), []string{"cp-2", "cp-5", "cp-6"}; !slices.Equal(got, want) {
		t.Errorf("Files = %v, want %v", got, want)
	}
}

// from begins a training in the midst.
type from struct {
	callbacks.None
	epoch, batch int64
}

func (f from) Position() (epoch, batch int64) { return f.epoch, f.batch }

func TestARetentionPolicyMayKeepTheBest(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	keep := retention.PolicyFunc(func(list []retention.Checkpoint) []retention.Verdict {
		verdicts := make([]retention.Verdict, len(list))
		for i, c := range list {
			if c.Metrics["val_loss"] < .4 {
				verdicts[i] = retention.Verdict{Fate: retention.Keep, Reason: "good"}
			}
		}
		return verdicts
	})
	logs := []callbacks.Logs{{"val_loss": .5}, {"val_loss": .3}, {"val_loss": .6}, {"val_loss": .7}}
	c := modelCheckpoint(t, dir, "cp-{epoch}", m, &callbacks.ModelCheckpointOptions{Retention: keep})
	fit(t, m, 4, 1, nil, logs, c)
	wantOn(t, dir, "cp-2", "cp-4")
	if path, _ := c.Best(); path != "cp-2" {
		t.Errorf("Best = %q, want cp-2", path)
	}
}

func TestARetentionPolicyKnowsTagsAndSizes(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.ModelCheckpointOptions{Retention: retention.Any(retention.Latest(1), retention.Tagged("release"))}
	c := modelCheckpoint(t, dir, "cp-{epoch}", m, o)
	fit(t, m, 1, 1, nil, nil, c)
	if err := checkpoint.Tag(background(), dir, "cp-1", "release"); err != nil {
		t.Fatal(err)
	}
	fit(t, m, 3, 1, nil, nil, from{epoch: 1}, c)
	wantOn(t, dir, "cp-1", "cp-3")
	fit(t, m, 4, 1, nil, nil, from{epoch: 3}, modelCheckpoint(t, dir, "cp-{epoch}", m, o)) // a new process
	wantOn(t, dir, "cp-1", "cp-4")
	o = &callbacks.ModelCheckpointOptions{Retention: retention.MaxBytes(1)}
	fit(t, m, 6, 1, nil, nil, from{epoch: 4}, modelCheckpoint(t, dir, "cp-{epoch}", m, o))
	wantOn(t, dir, "cp-6")
}

// Without a StepCounter the steps begin anew with each process.
func TestAReceiptTellsOnlyStepsThatGoOn(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	fit(t, m, 1, 3, nil, nil, modelCheckpoint(t, dir, "a", m, nil))
	o := &callbacks.ModelCheckpointOptions{StepCounter: func() int64 { return 1000 }}
	fit(t, m, 1, 3, nil, nil, modelCheckpoint(t, dir, "b", m, o))
	a, err := checkpoint.ReadReceipt(background(), dir, "a")
	if err != nil || a.Step != nil || a.Epoch == nil || *a.Epoch != 1 {
		t.Errorf("receipt of a = %+v, %v, want epoch 1 and no step", a, err)
	}
	b, err := checkpoint.ReadReceipt(background(), dir, "b")
	if err != nil || b.Step == nil || *b.Step != 1000 {
		t.Errorf("receipt of b = %+v, %v, want step 1000", b, err)
	}
}

func TestAFailedSaveIsTriedAgainAtTheNextOccasion(t *testing.T) {
	root, m := t.TempDir(), newModel()
	block := filepath.Join(root, "cp")
	if err := os.WriteFile(block, nil, 0o644); err != nil { // a file where a directory must be
		t.Fatal(err)
	}
	c := modelCheckpoint(t, local.Dir(root), "cp/{epoch}-{batch}", m, &callbacks.ModelCheckpointOptions{Every: schedule.Steps(2)})
	for batch := range int64(4) {
		if batch == 2 {
			if err := os.Remove(block); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.OnBatchEnd(background(), batch, nil); (err != nil) != (batch == 1) {
			t.Errorf("OnBatchEnd(%d) = %v", batch, err)
		}
	}
	wantOn(t, local.Dir(root), "cp/1-3", "cp/1-4")
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	nan := math.NaN()
	for want, o := range map[string]*callbacks.ModelCheckpointOptions{
		"MaxToKeep is -1":                          {MaxToKeep: -1},
		`is "val_quality" better when it is lower`: {Monitor: "val_quality", SaveBestOnly: true},
		"InitialValueThreshold is NaN":             {SaveBestOnly: true, InitialValueThreshold: &nan},
	} {
		if _, err := callbacks.NewModelCheckpoint(mem.Dir(), "cp", newModel(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewModelCheckpoint = %v, want %q", err, want)
		}
	}
	// Where the direction decides nothing it need not be known.
	modelCheckpoint(t, mem.Dir(), "cp", newModel(), &callbacks.ModelCheckpointOptions{Monitor: "val_quality"})
}
