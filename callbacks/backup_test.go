package callbacks_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// everyBatch, of epochs of three batches.
var everyBatch = callbacks.BackupOptions{Every: schedule.Steps(1), BatchesPerEpoch: 3}

// Keras 3 begins the epoch again with the weights of its middle: it ends with
// 17 batches where 15 were asked for.
func TestScenario153ABackupEachBatchInterrupted(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	fit(t, m, 5, 3, &interrupt{0, 2}, nil, backup(t, dir, m, &everyBatch))
	again := newModel()
	b := backup(t, dir, again, &everyBatch)
	trained := fit(t, again, 5, 3, nil, nil, b)
	if len(trained) != 13 || trained[0] != 2 || again.value() != 15 || b.Batches() != 15 {
		t.Errorf("went on with batches %v, to weight %v, counter %d, want 13 batches from 2 on and 15", trained, again.value(), b.Batches())
	}
}

func TestScenario154GoesOnAtTheNextBatchOrEpoch(t *testing.T) {
	for _, c := range []struct {
		interrupt
		perEpoch     int64
		epoch, batch int64
	}{
		{interrupt{1, 1}, 3, 1, 1},
		{interrupt{2, 0}, 3, 2, 0}, // the backup is of the last batch of epoch 1
		{interrupt{2, 0}, 0, 1, 3}, // which is not known to be the last
		{interrupt{0, 0}, 3, 0, 0}, // there is no backup
	} {
		dir, m, o := mem.Dir(), newModel(), everyBatch
		o.BatchesPerEpoch = c.perEpoch
		fit(t, m, 5, 3, &c.interrupt, nil, backup(t, dir, m, &o))
		again := newModel()
		b := backup(t, dir, again, &o)
		if err := b.OnTrainBegin(background()); err != nil {
			t.Fatal(err)
		}
		if epoch, batch := b.Position(); epoch != c.epoch || batch != c.batch {
			t.Errorf("interrupted before %v: Position = %d, %d, want %d, %d", c.interrupt, epoch, batch, c.epoch, c.batch)
		}
		if fit(t, again, 5, 3, nil, nil, b); again.value() != 15 {
			t.Errorf("interrupted before %v: ends with weight %v, want 15", c.interrupt, again.value())
		}
	}
}

func TestScenario155ABackupEachEpochInterrupted(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	fit(t, m, 5, 3, &interrupt{2, 0}, nil, backup(t, dir, m, nil))
	again := newModel()
	trained := fit(t, again, 5, 3, nil, nil, backup(t, dir, again, nil))
	if trained[0] != 2000 || len(trained) != 9 || again.value() != 15 {
		t.Errorf("went on with %v, to weight %v, want 9 batches from epoch 2 on and 15", trained, again.value())
	}
	// In the midst of an epoch it is the epoch that is begun anew.
	dir, m = mem.Dir(), newModel()
	fit(t, m, 5, 3, &interrupt{2, 2}, nil, backup(t, dir, m, nil))
	again = newModel()
	if trained := fit(t, again, 5, 3, nil, nil, backup(t, dir, again, nil)); trained[0] != 2000 || again.value() != 15 {
		t.Errorf("went on with %v, to weight %v, want epoch 2 and 15", trained, again.value())
	}
}

// flip changes the last byte of the newest backup's data.
func flip(t *testing.T, dir storage.Dir, path string) {
	t.Helper()
	name := "chief/" + path + ".data-00000-of-00001"
	data, err := storage.ReadFile(background(), dir, name)
	if err != nil {
		t.Fatal(err)
	}
	data[0] ^= 1
	if err := storage.WriteFile(background(), dir, name, data); err != nil {
		t.Fatal(err)
	}
}

func TestScenario156TwoBackupsTheNewerOneDamaged(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	o := &callbacks.BackupOptions{DoubleCheckpoint: true}
	fit(t, m, 5, 3, &interrupt{3, 1}, nil, backup(t, dir, m, o))
	wantOn(t, dir, "chief/ckpt-2", "chief/ckpt-3")
	flip(t, dir, "ckpt-3")

	if err := backup(t, dir, newModel(), nil).OnTrainBegin(background()); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("OnTrainBegin without DoubleCheckpoint = %v, want format.ErrCorrupt", err)
	}
	log, again := new(bytes.Buffer), newModel()
	o.Logger = logger(log)
	trained := fit(t, again, 5, 3, nil, nil, backup(t, dir, again, o))
	if trained[0] != 2000 || again.value() != 15 || !strings.Contains(log.String(), "passed over") {
		t.Errorf("went on with %v, to weight %v, log %s, want epoch 2, 15 and a warning", trained, again.value(), log)
	}

	dir, m = mem.Dir(), newModel()
	fit(t, m, 5, 3, &interrupt{3, 1}, nil, backup(t, dir, m, o))
	flip(t, dir, "ckpt-3")
	flip(t, dir, "ckpt-2")
	var none *checkpoint.NoneValidError
	if err := backup(t, dir, newModel(), o).OnTrainBegin(background()); !errors.As(err, &none) {
		t.Errorf("OnTrainBegin with both damaged = %v, want a NoneValidError", err)
	}
}

// Keras removes the whole directory, whatever else is in it.
func TestScenario157WhatIsLeftAfterANormalEnd(t *testing.T) {
	for _, c := range []struct {
		o    callbacks.BackupOptions
		want []string
	}{
		{callbacks.BackupOptions{}, nil},
		{callbacks.BackupOptions{DoubleCheckpoint: true}, nil},
		{callbacks.BackupOptions{KeepCheckpoint: true}, []string{"chief/checkpoint", "chief/ckpt-2.data-00000-of-00001", "chief/ckpt-2.index", "chief/ckpt-2.receipt.json"}},
	} {
		dir, m := mem.Dir(), newModel()
		mine := []string{"chief/notes.txt", "thesis.tex"}
		for _, name := range mine {
			if err := storage.WriteFile(background(), dir, name, nil); err != nil {
				t.Fatal(err)
			}
		}
		fit(t, m, 2, 2, nil, nil, backup(t, dir, m, &c.o))
		var got []string
		for info, err := range dir.List(background(), "") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, info.Name)
		}
		want := append(c.want, mine...)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%+v: left = %v, want %v", c.o, got, want)
		}
	}
}

func TestScenario158BackupOptionsThatAreRefused(t *testing.T) {
	objects := checkpoint.Objects{"model": newModel()}
	for want, c := range map[string]struct {
		objects checkpoint.Objects
		o       callbacks.BackupOptions
	}{
		"each 0 steps":          {objects, callbacks.BackupOptions{Every: schedule.Steps(0)}},
		"each -1 epochs":        {objects, callbacks.BackupOptions{Every: schedule.Epochs(-1)}},
		"no objects":            {nil, callbacks.BackupOptions{}},
		`"ckpt_saved_epoch"`:    {checkpoint.Objects{"ckpt_saved_epoch": newModel()}, callbacks.BackupOptions{}},
		"BatchesPerEpoch is -1": {objects, callbacks.BackupOptions{BatchesPerEpoch: -1}},
	} {
		if _, err := callbacks.NewBackupAndRestore(mem.Dir(), c.objects, &c.o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewBackupAndRestore = %v, want %s", err, want)
		}
	}
}

func TestScenario159TwoInterruptionsOneCount(t *testing.T) {
	dir := mem.Dir()
	for i, c := range []struct {
		stop           *interrupt
		begins, trains int64
	}{{&interrupt{6, 0}, 0, 6}, {&interrupt{13, 0}, 6, 7}, {nil, 13, 7}} {
		m := newModel()
		b := backup(t, dir, m, nil)
		trained := fit(t, m, 20, 1, c.stop, nil, b)
		if epoch, _ := b.Position(); epoch != c.begins || int64(len(trained)) != c.trains || b.Batches() != c.begins+c.trains {
			t.Errorf("training %d began at epoch %d, trained %d batches, counter %d, want %d, %d, %d",
				i, epoch, len(trained), b.Batches(), c.begins, c.trains, c.begins+c.trains)
		}
	}
}

func TestTheFrequencyOfBackupsDoesNotDriftOverRestarts(t *testing.T) {
	dir := mem.Dir()
	o := &callbacks.BackupOptions{Every: schedule.Steps(4), KeepCheckpoint: true}
	m := newModel()
	fit(t, m, 5, 3, &interrupt{3, 1}, nil, backup(t, dir, m, o)) // after 10 batches, two backups
	again := newModel()
	b := backup(t, dir, again, o)
	if err := b.OnTrainBegin(background()); err != nil || b.Batches() != 8 {
		t.Fatalf("OnTrainBegin = %v, %d batches, want 8", err, b.Batches())
	}
	fit(t, again, 5, 3, nil, nil, b)
	r, err := checkpoint.ReadReceipt(background(), dir, "chief/ckpt-3")
	if err != nil || *r.Step != 12 {
		t.Errorf("third backup = step %v, %v, want 12", r.Step, err)
	}
}

func TestASignalBacksUpAtTheNextBatch(t *testing.T) {
	signals := make(chan os.Signal, 1)
	o := &callbacks.BackupOptions{Every: schedule.Any(schedule.Epochs(1), schedule.Signal(signals))}
	dir, m := mem.Dir(), newModel()
	b := backup(t, dir, m, o)
	signals <- syscall.SIGTERM
	fit(t, m, 5, 3, &interrupt{0, 1}, nil, b)
	again := newModel()
	if trained := fit(t, again, 1, 3, nil, nil, backup(t, dir, again, nil)); !slices.Equal(trained, []int64{1, 2}) {
		t.Errorf("went on with %v, want 1, 2", trained)
	}
}

func TestABackupAskedForIsOfWhatWasToldLast(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	b := backup(t, dir, m, &callbacks.BackupOptions{Every: schedule.Steps(100)})
	if err := b.Backup(background()); err == nil {
		t.Error("Backup before the training = nil, want an error")
	}
	position := func(epoch, batch int64) {
		t.Helper()
		if err := b.Backup(background()); err != nil {
			t.Fatal(err)
		}
		other := backup(t, dir, newModel(), nil)
		if err := other.OnTrainBegin(background()); err != nil {
			t.Fatal(err)
		}
		if e, n := other.Position(); e != epoch || n != batch {
			t.Errorf("Position = %d, %d, want %d, %d", e, n, epoch, batch)
		}
	}
	told := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	told(b.OnTrainBegin(background()))
	position(0, 0)
	told(b.OnEpochBegin(background(), 0))
	position(0, 0)
	told(b.OnBatchEnd(background(), 4, nil))
	position(0, 5)
	told(b.OnEpochEnd(background(), 0, nil))
	position(1, 0)
	told(b.OnEpochBegin(background(), 1))
	position(1, 0)
}

func TestABackupOfAnotherModelIsNoNewStart(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	fit(t, m, 5, 3, &interrupt{3, 1}, nil, backup(t, dir, m, nil))
	other := newModel()
	other.Track("bias", newModel())
	if err := backup(t, dir, other, nil).OnTrainBegin(background()); err == nil {
		t.Error("OnTrainBegin = nil, want an error")
	}
}

func TestWhatACrashLeavesOfTheRemovalIsAnEndedTraining(t *testing.T) {
	dir, m := mem.Dir(), newModel()
	fit(t, m, 5, 3, nil, nil, backup(t, dir, m, &callbacks.BackupOptions{KeepCheckpoint: true}))
	if err := dir.Remove(background(), "chief/checkpoint"); err != nil {
		t.Fatal(err)
	}
	again := newModel()
	if trained := fit(t, again, 5, 3, nil, nil, backup(t, dir, again, nil)); len(trained) != 0 || again.value() != 15 {
		t.Errorf("trained %v, weight %v, want none and 15", trained, again.value())
	}
	wantOn(t, dir)
	if _, err := checkpoint.ReadState(background(), storage.Sub(dir, "chief")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state file: %v, want fs.ErrNotExist", err)
	}
}

func TestABackupOfAPositionThatCannotBeIsRefused(t *testing.T) {
	for _, c := range []struct{ epoch, batch, counter int64 }{
		{-2, -1, 0}, {-1, 0, 0}, {0, -2, 0}, {0, 0, -1}, {math.MaxInt64, -1, 0}, {0, math.MaxInt64, 0},
	} {
		dir, m := mem.Dir(), newModel()
		written := checkpoint.New(nil, checkpoint.Objects{
			"model":            m,
			"ckpt_saved_epoch": trackable.NewScalar("ckpt_saved_epoch", c.epoch),
			"ckpt_saved_batch": trackable.NewScalar("ckpt_saved_batch", c.batch),
			"train_counter":    trackable.NewScalar("train_counter", c.counter),
		}, nil)
		if _, err := written.Save(background(), storage.Sub(dir, "chief"), "ckpt"); err != nil {
			t.Fatal(err)
		}
		b := backup(t, dir, m, nil)
		if err := b.OnTrainBegin(background()); err == nil || !strings.Contains(err.Error(), "ckpt_saved_epoch") {
			epoch, batch := b.Position()
			t.Errorf("%+v: OnTrainBegin = %v, Position %d, %d, want an error that names the values", c, err, epoch, batch)
		}
	}
}
