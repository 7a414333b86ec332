package callbacks_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/callbacks"
	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

func background() context.Context { return context.Background() }

// model is a model of one weight, which each step of training adds one to.
type model struct {
	trackable.Node
	weight *trackable.Variable[float32]
}

func newModel() *model {
	m := &model{weight: trackable.NewScalar("weight", float32(0))}
	m.Track("weight", m.weight)
	return m
}

func (m *model) value() float32 { return m.weight.Value[0] }
func (m *model) set(v float32)  { m.weight.Value[0] = v }
func (m *model) step()          { m.weight.Value[0]++ }

// logger writes warnings to a buffer.
func logger(to *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// on returns the paths of the checkpoints in dir, sorted.
func on(t *testing.T, dir storage.Dir) []string {
	t.Helper()
	paths := []string{}
	for info, err := range dir.List(background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := strings.CutSuffix(info.Name, ".index"); ok {
			paths = append(paths, p)
		}
	}
	return paths
}

func wantOn(t *testing.T, dir storage.Dir, want ...string) {
	t.Helper()
	if got := on(t, dir); !slices.Equal(got, want) {
		t.Errorf("on disk = %v, want %v", got, want)
	}
}

func modelCheckpoint(t *testing.T, dir storage.Dir, pattern string, m trackable.Object, o *callbacks.ModelCheckpointOptions) *callbacks.ModelCheckpoint {
	t.Helper()
	c, err := callbacks.NewModelCheckpoint(dir, pattern, m, o)
	if err != nil {
		t.Fatalf("NewModelCheckpoint: %v", err)
	}
	return c
}

func backup(t *testing.T, dir storage.Dir, m trackable.Object, o *callbacks.BackupOptions) *callbacks.BackupAndRestore {
	t.Helper()
	b, err := callbacks.NewBackupAndRestore(dir, checkpoint.Objects{"model": m}, o)
	if err != nil {
		t.Fatalf("NewBackupAndRestore: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

var errInterrupted = errors.New("interrupted")

// interrupt says before which batch a training is interrupted.
type interrupt struct{ epoch, batch int64 }

// fit trains m; logs are those of the epochs' ends. It returns the batches
// that were trained, in the form epoch*1000 + batch.
func fit(t *testing.T, m *model, epochs, batches int64, stop *interrupt, logs []callbacks.Logs, all ...callbacks.Callback) []int64 {
	t.Helper()
	var trained []int64
	training := callbacks.Training{Epochs: epochs, Batches: batches,
		Step: func(_ context.Context, epoch, batch int64) (callbacks.Logs, error) {
			if stop != nil && *stop == (interrupt{epoch: epoch, batch: batch}) {
				return nil, errInterrupted
			}
			m.step()
			trained = append(trained, epoch*1000+batch)
			return callbacks.Logs{"loss": 1 / float64(m.value())}, nil
		},
		Validate: func(_ context.Context, epoch int64) (callbacks.Logs, error) {
			if int(epoch) < len(logs) {
				return logs[epoch], nil
			}
			return nil, nil
		},
	}
	err := callbacks.Fit(background(), training, all...)
	if stop == nil && err != nil || stop != nil && !errors.Is(err, errInterrupted) {
		t.Fatalf("Fit = %v", err)
	}
	return trained
}
