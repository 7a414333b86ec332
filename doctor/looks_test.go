package doctor_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// training saves and sweeps as fast as it can, until ctx ends.
func training(ctx context.Context, dir storage.Dir, saves *atomic.Int64) error {
	v := trackable.NewVariable("v", tensor.Shape{2}, []float32{0, 0})
	c := checkpoint.New(nil, checkpoint.Objects{"v": v}, &checkpoint.Options{Parity: true})
	m, err := checkpoint.NewManager(ctx, c, dir, &checkpoint.ManagerOptions{
		Retention: retention.Any(retention.Latest(2), retention.Best(1, retention.Lowest("loss")))})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		v.Value[0]++
		n := saves.Add(1)
		o := &checkpoint.SaveOptions{Metrics: map[string]float64{"loss": float64(-n / 7)}}
		if n%5 == 0 {
			again := n / 5 * 2
			o.CheckpointNumber = &again // overwrites what may be there
		}
		if _, err = m.Save(context.WithoutCancel(ctx), o); err != nil {
			break
		}
	}
	return errors.Join(err, m.Close(context.WithoutCancel(ctx)))
}

// TestNothingIsWrongBesideATraining that saves and sweeps all the time.
//
// Proves D22.
func TestNothingIsWrongBesideATraining(t *testing.T) {
	f := newFolder(t, 3)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var saves atomic.Int64
	go func() { ended <- training(ctx, f.Dir, &saves) }()
	const pause = 10 * time.Millisecond
	for i := range torture.Times(60, 3000) {
		o := doctor.Patient(&doctor.Options{Deep: i%2 == 1}, pause, 2*pause, 4*pause, 8*pause)
		wantKinds(t, "findings beside a training", f.look(o).Findings)
		if t.Failed() {
			break
		}
	}
	stop()
	f.must(<-ended)
	wantKinds(t, "findings after it", f.examine(&doctor.Options{Deep: true}).Findings)
}

// TestWhatStaysIsFoundBesideATraining: a checkpoint that nobody touches is as
// broken in the last look as in the first.
func TestWhatStaysIsFoundBesideATraining(t *testing.T) {
	f := newFolder(t, 0)
	train(t, f.Dir, 2, &checkpoint.ManagerOptions{CheckpointName: "other"})
	f.flip("other-1.index", 0)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	var saves atomic.Int64
	go func() { ended <- training(ctx, f.Dir, &saves) }()
	for saves.Load() < 3 {
		wantKinds(t, "findings beside a training", f.look(doctor.Patient(nil, time.Millisecond, 20*time.Millisecond)).Findings, "damaged")
	}
	stop()
	f.must(<-ended)
}

// TestReadingIsTold for who shows how far it is: of all data, and of parity.
func TestReadingIsTold(t *testing.T) {
	f, plain := newFolder(t, 0), newFolder(t, 2)
	trainParity(t, f.Dir, 2)
	read := make(map[string]int)
	tell := &doctor.Options{Deep: true, Reading: func(path string, n int) { read[path] += n }}
	plain.examine(tell)
	without := read["ckpt-2"]
	clear(read)
	f.examine(tell)
	if data := len(f.read("ckpt-2.data-00000-of-00001")) + len(f.read("ckpt-2.index")); without < data {
		t.Errorf("%d bytes were read, want the %d of the checkpoint or more", without, data)
	}
	parity := len(f.read("ckpt-2.parity-00000-of-00001")) + len(f.read("ckpt-2.parity-index"))
	if got := read["ckpt-2"] - without; got < parity {
		t.Errorf("%d more bytes were read, want the %d of its parity", got, parity)
	}
}
