package gomlx_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/adapters/gomlx"
	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/schedule"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

var errInterrupted = errors.New("interrupted")

// points is a dataset whose batches depend on how many it has given. Its place
// belongs into the checkpoint.
type points struct {
	Given int64
	until int64 // then it is interrupted; 0: never
}

func (p *points) Name() string { return "points" }

func (p *points) Iter() iter.Seq2[train.Batch, error] {
	return func(yield func(train.Batch, error) bool) {
		for {
			if p.Given == p.until && p.until > 0 {
				yield(train.Batch{}, errInterrupted)
				return
			}
			p.Given++
			x := float32(p.Given%5) - 2
			if !yield(train.Batch{
				Inputs: []*tensors.Tensor{tensors.FromValue([][]float32{{x}})},
				Labels: []*tensors.Tensor{tensors.FromValue([][]float32{{3*x + 1}})},
			}, nil) {
				return
			}
		}
	}
}

// training is a line to be fitted.
type training struct {
	store   *model.Store
	trainer *train.Trainer
	data    *points
	objects checkpoint.Objects
}

func newTraining(t *testing.T, until int64) *training {
	t.Helper()
	backend, err := compute.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	tr := &training{store: model.NewStore(), data: &points{until: until}}
	if err := tr.store.SetRNGStateFromSeed(1); err != nil {
		t.Fatal(err)
	}
	line := func(scope *model.Scope, _ any, x []*graph.Node) []*graph.Node {
		return []*graph.Node{dense(scope.In("line"), x[0], 1)}
	}
	tr.trainer = train.NewTrainer(backend, tr.store, line, loss.MeanSquaredError, optimizer.Adam().LearningRate(.1).Done(), nil, nil)
	place, err := trackable.Struct(tr.data)
	if err != nil {
		t.Fatal(err)
	}
	tr.objects = checkpoint.Objects{"model": gomlx.New(tr.store, nil), "data": place}
	return tr
}

// run trains up to a step with backups in dir.
func (tr *training) run(t *testing.T, dir storage.Dir, o *callbacks.BackupOptions, others ...callbacks.Callback) error {
	t.Helper()
	b, err := callbacks.NewBackupAndRestore(dir, tr.objects, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	all := append([]callbacks.Callback{b}, others...)
	loop, err := gomlx.NewLoop(context.Background(), tr.trainer, &gomlx.LoopOptions{StepsPerEpoch: 5}, all...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = loop.RunToGlobalStep(tr.data, 20)
	return err
}

func weights(t *testing.T, tr *training) []byte {
	t.Helper()
	var all []byte
	for _, path := range []string{"/line/weights", "/line/biases"} {
		v := tr.store.GetVariable(path)
		if v == nil {
			t.Fatalf("no variable %s", path)
		}
		all = append(all, bits(t, v)...)
	}
	return all
}

// told writes down what a loop tells.
type told struct {
	callbacks.None
	events []string
	names  callbacks.Logs
	stop   int64 // epoch at whose end it stops the training, -1: none
}

func (r *told) OnTrainBegin(context.Context) error { r.events = append(r.events, "begin"); return nil }
func (r *told) OnTrainEnd(context.Context) error   { r.events = append(r.events, "end"); return nil }

func (r *told) OnEpochBegin(_ context.Context, epoch int64) error {
	r.events = append(r.events, "epoch")
	return nil
}

func (r *told) OnBatchEnd(_ context.Context, batch int64, logs callbacks.Logs) error {
	r.events, r.names = append(r.events, string(rune('0'+batch))), logs
	return nil
}

func (r *told) OnEpochEnd(_ context.Context, epoch int64, logs callbacks.Logs) error {
	r.events = append(r.events, "done")
	if epoch == r.stop {
		return callbacks.ErrStop
	}
	return nil
}

func TestALoopThatWasInterruptedEndsWithTheWeightsOfOneThatWasNot(t *testing.T) {
	whole := newTraining(t, 0)
	if err := whole.run(t, mem.Dir(), nil); err != nil {
		t.Fatal(err)
	}
	for _, every := range []schedule.Schedule{schedule.Steps(1), schedule.Steps(3), schedule.Epochs(1)} {
		dir, o := mem.Dir(), &callbacks.BackupOptions{Every: every, BatchesPerEpoch: 5}
		for _, until := range []int64{2, 8, 14} {
			if err := newTraining(t, until).run(t, dir, o); !errors.Is(err, errInterrupted) {
				t.Fatalf("run until %d = %v", until, err)
			}
		}
		last, log := newTraining(t, 0), &told{stop: -1}
		if err := last.run(t, dir, o, log); err != nil {
			t.Fatal(err)
		}
		if steps := len(log.events); steps > 20 {
			t.Errorf("%v: the last run was told %v, want the steps after the last backup only", every, log.events)
		}
		if got, want := weights(t, last), weights(t, whole); !bytes.Equal(got, want) {
			t.Errorf("weights = %x, want %x", got, want)
		}
		for info, err := range dir.List(context.Background(), "") {
			t.Errorf("left in the end: %s, %v", info.Name, err)
		}
	}
}

func TestWhatALoopTells(t *testing.T) {
	tr, log := newTraining(t, 0), &told{stop: 1}
	best, err := callbacks.NewModelCheckpoint(mem.Dir(), "cp-{epoch}-{loss:.3f}", tr.objects["model"], &callbacks.ModelCheckpointOptions{Monitor: "loss"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.run(t, mem.Dir(), nil, best, log); !errors.Is(err, callbacks.ErrStop) {
		t.Errorf("run = %v, want ErrStop", err)
	}
	want := []string{"begin", "epoch", "0", "1", "2", "3", "4", "done", "epoch", "0", "1", "2", "3", "4", "done", "end"}
	if !slices.Equal(log.events, want) {
		t.Errorf("told %v, want %v", log.events, want)
	}
	if log.names["loss"] <= 0 || len(log.names) < 2 {
		t.Errorf("logs = %v, want loss and others", log.names)
	}
	if len(best.Files()) != 2 {
		t.Errorf("files = %v, want one for each epoch", best.Files())
	}
}

// stopsAfter ends the training after a batch, -1 being the beginning.
type stopsAfter struct {
	callbacks.None
	batch int64
}

func (s stopsAfter) OnTrainBegin(ctx context.Context) error { return s.OnBatchEnd(ctx, -1, nil) }

func (s stopsAfter) OnBatchEnd(_ context.Context, batch int64, _ callbacks.Logs) error {
	if batch == s.batch {
		return callbacks.ErrStop
	}
	return nil
}

// As in Keras, and as callbacks.Fit does it.
func TestATrainingThatEndsInAnEpochEndsTheEpoch(t *testing.T) {
	for batch, want := range map[int64][]string{
		-1: {"begin", "end"},
		2:  {"begin", "epoch", "0", "1", "2", "done", "end"},
		4:  {"begin", "epoch", "0", "1", "2", "3", "4", "done", "end"},
	} {
		tr, log := newTraining(t, 0), &told{stop: -1}
		loop, err := gomlx.NewLoop(context.Background(), tr.trainer, &gomlx.LoopOptions{StepsPerEpoch: 5}, stopsAfter{batch: batch}, log)
		if err == nil {
			_, err = loop.RunSteps(tr.data, 10)
		}
		if !errors.Is(err, callbacks.ErrStop) || !slices.Equal(log.events, want) {
			t.Errorf("ended after batch %d: told %v, %v, want %v and ErrStop", batch, log.events, err, want)
		}
	}
}

func TestALoopWithoutEpochsIsOneEpoch(t *testing.T) {
	tr, log := newTraining(t, 0), &told{stop: -1}
	validated := 0
	o := &gomlx.LoopOptions{Validate: func() (callbacks.Logs, error) { validated++; return callbacks.Logs{"val_loss": 1}, nil }}
	loop, err := gomlx.NewLoop(context.Background(), tr.trainer, o, log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loop.RunSteps(tr.data, 3); err != nil {
		t.Fatal(err)
	}
	if want := []string{"begin", "epoch", "0", "1", "2", "done", "end"}; !slices.Equal(log.events, want) || validated != 1 {
		t.Errorf("told %v, validated %d times, want %v, once", log.events, validated, want)
	}
	if _, err := loop.RunSteps(tr.data, 3); err == nil {
		t.Error("a second run of the loop = nil, want an error")
	}
}
