//go:build interop

package interop

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// backups is a training that is interrupted before some batches.
type backups struct {
	Before   [][2]int64 `json:"before"`
	Epochs   int64      `json:"epochs"`
	Batches  int64      `json:"batches"`
	SaveFreq any        `json:"save_freq"`
}

// trained is what one process did of it.
type trained struct {
	Trained [][2]int64
	Count   float64
	Ended   bool
}

func randomBackups(r *rand.Rand) backups {
	b := backups{Epochs: 1 + r.Int64N(4), Batches: 1 + r.Int64N(4), SaveFreq: "epoch"}
	if r.IntN(3) > 0 {
		b.SaveFreq = 1 + r.Int64N(5)
	}
	at := int64(0)
	for range r.IntN(3) {
		if at += r.Int64N(b.Epochs * b.Batches); at < b.Epochs*b.Batches {
			b.Before = append(b.Before, [2]int64{at / b.Batches, at % b.Batches})
		}
	}
	if b.Before == nil {
		b.Before = [][2]int64{}
	}
	return b
}

var errInterrupted = errors.New("interrupted")

// ourBackups trains with our BackupAndRestore as Python does with Keras's.
func ourBackups(t *testing.T, h backups) []trained {
	t.Helper()
	dir, ctx := mem.Dir(), context.Background()
	o := &callbacks.BackupOptions{BatchesPerEpoch: h.Batches}
	if freq, ok := h.SaveFreq.(int64); ok {
		o.Every = schedule.Steps(freq)
	}
	var runs []trained
	for i := range len(h.Before) + 1 {
		count := trackable.NewScalar("count", float32(0))
		b, err := callbacks.NewBackupAndRestore(dir, checkpoint.Objects{"model": count}, o)
		if err != nil {
			t.Fatal(err)
		}
		run := trained{Trained: [][2]int64{}}
		training := callbacks.Training{Epochs: h.Epochs, Batches: h.Batches, Step: func(_ context.Context, epoch, batch int64) (callbacks.Logs, error) {
			if i < len(h.Before) && h.Before[i] == [2]int64{epoch, batch} {
				return nil, errInterrupted
			}
			run.Trained = append(run.Trained, [2]int64{epoch, batch})
			count.Value[0]++
			return nil, nil
		}}
		err = callbacks.Fit(ctx, training, b)
		if err != nil && !errors.Is(err, errInterrupted) {
			t.Fatal(err)
		}
		if err := b.Close(ctx); err != nil {
			t.Fatal(err)
		}
		run.Count, run.Ended = float64(count.Value[0]), err == nil
		if runs = append(runs, run); run.Ended {
			break
		}
	}
	return runs
}

func TestBackupAndRestoreTrainsTheBatchesThatTFKerasTrains(t *testing.T) {
	r := random(t)
	histories := []backups{ // scenarios 153 to 155 and 159
		{[][2]int64{{0, 2}}, 5, 3, int64(1)},
		{[][2]int64{{2, 0}}, 5, 3, int64(1)},
		{[][2]int64{{2, 0}}, 5, 3, "epoch"},
		{[][2]int64{{6, 0}, {13, 0}}, 20, 1, "epoch"},
	}
	for range 12 {
		histories = append(histories, randomBackups(r))
	}
	theirs := mustOf[[][]trained](t, tfKeras(t), "keras_backup_runs", map[string]any{"histories": histories})
	for i, h := range histories {
		if got := ourBackups(t, h); !reflect.DeepEqual(got, theirs[i]) {
			t.Errorf("%+v: we trained %+v, tf-keras %+v", h, got, theirs[i])
		}
	}
}

// Keras 3 does the same with epochs, and with batches trains some twice (P36).
func TestBackupAndRestoreTrainsWhatKerasTrainsByEpochs(t *testing.T) {
	r := random(t)
	var histories []backups
	for range 5 {
		h := randomBackups(r)
		h.SaveFreq = "epoch"
		histories = append(histories, h)
	}
	twice := backups{[][2]int64{{0, 2}}, 5, 3, int64(1)}
	theirs := must[[][]trained](t, "keras_backup_runs", map[string]any{"histories": append(histories, twice)})
	for i, h := range histories {
		if got := ourBackups(t, h); !reflect.DeepEqual(got, theirs[i]) {
			t.Errorf("%+v: we trained %+v, Keras %+v", h, got, theirs[i])
		}
	}
	last := theirs[len(histories)]
	if got := last[len(last)-1].Count; got != 17 {
		t.Errorf("Keras 3 ended with %v batches, want 17: has it changed?", got)
	}
	mine := ourBackups(t, twice)
	if got := mine[len(mine)-1].Count; got != 15 {
		t.Errorf("we ended with %v batches, want 15", got)
	}
}

// weight is the model of keras_callbacks.py's Weight.
type weight struct {
	trackable.Node
	v *trackable.Variable[float32]
}

func newWeight() *weight {
	w := &weight{v: trackable.NewScalar("Variable", float32(-1))}
	w.Track("weight", w.v)
	return w
}

func newBackup(t *testing.T, dir storage.Dir, w *weight, freq any) *callbacks.BackupAndRestore {
	t.Helper()
	o := &callbacks.BackupOptions{BatchesPerEpoch: 5}
	if n, ok := freq.(int64); ok {
		o.Every = schedule.Steps(n)
	}
	b, err := callbacks.NewBackupAndRestore(dir, checkpoint.Objects{"model": w}, o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABackupOfTFKerasGoesOnHereAndOursThere(t *testing.T) {
	type position struct {
		Epoch, Batch int64
		Weight       float64
		Counter      int64
	}
	read := func(t *testing.T, root string, freq any) position {
		w := newWeight()
		b := newBackup(t, local.Dir(root), w, freq)
		if err := b.OnTrainBegin(context.Background()); err != nil {
			t.Fatal(err)
		}
		epoch, batch := b.Position()
		return position{epoch, batch, float64(w.v.Value[0]), b.Batches()}
	}
	for _, freq := range []any{"epoch", int64(1), int64(3)} {
		for _, batches := range []int64{2, 4, 5} {
			root := t.TempDir()
			mustOf[any](t, tfKeras(t), "keras_backup_write", map[string]any{"directory": root, "save_freq": freq, "epochs": 3, "batches": batches})
			args := map[string]any{"directory": root, "save_freq": freq, "batches": 5}
			want := mustOf[position](t, tfKeras(t), "keras_backup_read", args)
			if got := read(t, root, freq); got != want {
				t.Errorf("freq %v, %d batches: from tf-keras's backup we go on at %+v, tf-keras at %+v", freq, batches, got, want)
			}
			root = t.TempDir()
			w := newWeight()
			w.v.Value[0] = 0
			b := newBackup(t, local.Dir(root), w, freq)
			train(t, b, w, 3, batches)
			want = read(t, root, freq)
			args["directory"] = root
			if got := mustOf[position](t, tfKeras(t), "keras_backup_read", args); got != want {
				t.Errorf("freq %v, %d batches: from our backup tf-keras goes on at %+v, we at %+v", freq, batches, got, want)
			}
		}
	}
}

// train does what backup_write does in Python.
func train(t *testing.T, b *callbacks.BackupAndRestore, w *weight, epochs, batches int64) {
	t.Helper()
	training := callbacks.Training{Epochs: epochs + 1, Batches: 5, Step: func(_ context.Context, epoch, batch int64) (callbacks.Logs, error) {
		if epoch*5+batch == (epochs-1)*5+batches {
			return nil, errInterrupted
		}
		w.v.Value[0]++
		return nil, nil
	}}
	if err := callbacks.Fit(context.Background(), training, b); !errors.Is(err, errInterrupted) {
		t.Fatal(err)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
