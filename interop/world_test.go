//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/internal/tfexact"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/trackable"
)

// record is what a step returned, and what there is after it.
type record struct {
	Path  string            `json:"path"`
	Error string            `json:"error"` // its class
	Slots [2]*seen          `json:"slots"`
	Inits int               `json:"inits"` // calls of init functions
	State *string           `json:"state"` // bytes of the state file; nil: none
	Files map[string]uint32 `json:"files"` // all others, with checksums
	Found string            `json:"found"` // by latest_checkpoint
}

// seen is what a Checkpoint and its manager say.
type seen struct {
	Value   float64  `json:"value"`
	Count   int64    `json:"count"` // the save counter
	Managed bool     `json:"managed"`
	List    []string `json:"list"`
	Latest  string   `json:"latest"`
}

// world is our side of a history.
type world struct {
	base     string
	relative bool
	home     int
	slots    [2]*slot
	inits    int
	clock    time.Time
	step     int64
}

// slot is a place for a manager and the Checkpoint it saves.
type slot struct {
	m *checkpoint.Manager
	c *checkpoint.Checkpoint
	v *trackable.Variable[float32]
	f *fuse
}

// fuse is an object whose saving fails when it is told to.
type fuse struct{ blown bool }

var errBlown = errors.New("blown")

func (f *fuse) MarshalBinary() ([]byte, error) {
	if f.blown {
		return nil, errBlown
	}
	return []byte("fuse"), nil
}

func (f *fuse) UnmarshalBinary([]byte) error { return nil }

func newWorld(h history) *world {
	return &world{base: h.Base, relative: h.Relative, slots: [2]*slot{new(slot), new(slot)}}
}

func (w *world) path(name string) string {
	return filepath.Join(w.base, fmt.Sprintf("run%d", w.home), name)
}

func (w *world) dir() storage.Dir {
	path := w.path("")
	if here, err := os.Getwd(); w.relative && err == nil {
		if short, err := filepath.Rel(here, path); err == nil {
			path = short
		}
	}
	return local.Dir(path)
}

// run lives through a step. An edit takes from TensorFlow's side what the
// state file becomes.
func (w *world) run(s step, tensorflow record) (record, error) {
	// The nanosecond nearest to the double, as the state file is read.
	whole, part := math.Modf(s.Clock)
	w.clock, w.step = time.Unix(int64(whole), int64(math.Round(part*1e9))), s.Step
	at := w.slots[s.Slot]
	if at.v != nil && s.Value != 0 {
		at.v.Value[0] = float32(s.Value)
	}
	path, err := w.do(at, s, tensorflow)
	r := record{Path: path, Error: class(err), Inits: w.inits}
	for i, at := range w.slots {
		r.Slots[i] = at.seen()
	}
	err = w.look(&r)
	return r, err
}

// class is the class of an error, in words that both sides use.
func class(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errBlown):
		return "blown"
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	}
	return "invalid"
}

func (w *world) do(at *slot, s step, tensorflow record) (string, error) {
	ctx := context.Background()
	switch s.Do {
	case "open":
		return "", w.open(ctx, at, s)
	case "move":
		return "", w.move(ctx, s.Copy)
	case "plain":
		if at.c == nil {
			return "", nil
		}
		return at.c.Save(ctx, w.dir(), s.Name)
	case "remove":
		return w.remove(s)
	case "edit":
		return "", w.edit(tensorflow.State)
	}
	if at.m == nil {
		return "", nil
	}
	switch s.Do {
	case "save":
		at.f.blown = s.Broken
		defer func() { at.f.blown = false }()
		return at.m.Save(ctx, &checkpoint.SaveOptions{CheckpointNumber: s.Number, Force: s.Force})
	case "init":
		return at.m.RestoreOrInitialize(ctx)
	case "restore":
		return w.restore(ctx, at, s.Pick)
	}
	return "", nil
}

// close ends a manager, as the end of its process does.
func (at *slot) close(ctx context.Context) error {
	m := at.m
	if at.m = nil; m == nil {
		return nil
	}
	return m.Close(ctx)
}

func (w *world) open(ctx context.Context, at *slot, s step) error {
	if err := at.close(ctx); err != nil {
		return err
	}
	if other := w.slots[1-s.Slot]; s.Share && other.c != nil {
		at.c, at.v, at.f = other.c, other.v, other.f
	} else if s.Fresh || at.c == nil {
		at.v, at.f = trackable.NewScalar("v", float32(0)), new(fuse)
		objects := checkpoint.Objects{"v": at.v, "fuse": trackable.State(at.f)}
		if s.Wide {
			objects["w"] = trackable.NewScalar("w", float32(-1))
		}
		at.c = checkpoint.New(nil, objects, &checkpoint.Options{Exactly: tfexact.On()})
	}
	m, err := checkpoint.NewManager(ctx, at.c, w.dir(), w.options(at, s.Options))
	if err == nil {
		at.m = m
	}
	return err
}

func (w *world) options(at *slot, o options) *checkpoint.ManagerOptions {
	m := &checkpoint.ManagerOptions{CheckpointName: o.Name, LastCheckpointStep: o.Last, Now: func() time.Time { return w.clock }}
	if o.Keep != nil {
		m.MaxToKeep = *o.Keep
	}
	if o.Hours != nil {
		m.KeepCheckpointEvery = time.Duration(math.Round(*o.Hours * 3600e9))
	}
	if o.Counter {
		m.StepCounter = func() int64 { return w.step }
	}
	if o.Interval != nil {
		m.CheckpointInterval = *o.Interval
	}
	if o.Init {
		m.InitFn = func(context.Context) error {
			w.inits++
			at.v.Value[0] = -7
			return nil
		}
	}
	return m
}

func (w *world) restore(ctx context.Context, at *slot, pick int) (string, error) {
	paths := at.m.Checkpoints()
	if len(paths) == 0 {
		return "", nil
	}
	path := paths[pick%len(paths)]
	status, err := at.c.Restore(ctx, w.dir(), path)
	if err != nil {
		return "", err
	}
	status.ExpectPartial()
	return path, nil
}
