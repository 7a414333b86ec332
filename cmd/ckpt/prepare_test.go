package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/experiment"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// check ends the helper programs below at the first error.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 0, 64)
	check(err)
	return n
}

// optimizer has a slot for each of its variables.
type optimizer struct {
	trackable.Node
	slots []trackable.Slot
}

func (o *optimizer) Slots() []trackable.Slot { return o.slots }

func (o *optimizer) MakeSlot(trackable.Object, string) (trackable.Object, error) {
	return nil, fmt.Errorf("not restored here")
}

// model returns a small model: dense layers that share a bias, and an
// optimizer with a slot and a way back to the model.
func model() (*trackable.Node, *optimizer) {
	kernel := trackable.NewVariable("dense/kernel", tensor.Shape{2, 3}, []float32{0, 1, 2, 3, 4, 5})
	bias := trackable.NewVariable("dense/bias", tensor.Shape{3}, []float32{0.5, -1, 1e-7})
	dense := new(trackable.Node).Track("kernel", kernel).Track("bias", bias)
	out := new(trackable.Node).Track("bias", bias)
	m := new(trackable.Node).Track("dense", dense).Track("out", out)
	o := &optimizer{slots: []trackable.Slot{{Variable: kernel, Name: "m",
		Value: trackable.NewVariable("dense/kernel/m", tensor.Shape{2, 3}, make([]float32, 6))}}}
	o.Track("model", m).Track("iterations", trackable.NewScalar("iterations", int64(7)))
	return m, o
}

// mkckpt DIR N saves N checkpoints of the model, keeping them all.
func mkckpt() {
	ctx := context.Background()
	m, o := model()
	c := checkpoint.New(nil, checkpoint.Objects{"model": m, "optimizer": o}, nil)
	manager, err := checkpoint.NewManager(ctx, c, local.Dir(os.Args[1]), nil)
	check(err)
	for i := range number(os.Args[2]) {
		_, err := manager.Save(ctx, &checkpoint.SaveOptions{Metrics: map[string]float64{"loss": 1 / float64(i+1)}})
		check(err)
	}
	check(manager.Close(ctx))
}

// mkrun ROOT NAME FROM LR [LOSS...] makes a run with a checkpoint for each
// loss, that goes on from the run FROM unless that is "-". ESC in its name is
// the control character.
func mkrun() {
	ctx := context.Background()
	e, name := experiment.Open(local.Dir(os.Args[1])), strings.ReplaceAll(os.Args[2], "ESC", "\x1b")
	lr, err := strconv.ParseFloat(os.Args[4], 64)
	check(err)
	run, err := e.Create(ctx, name, &experiment.RunOptions{
		Tags: []string{"test", name}, Params: map[string]any{"lr": lr, "layers": []int{2, 3}},
		Revision: &checkpoint.Revision{Commit: "c0ffee"},
		Now:      func() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) },
	})
	check(err)
	m, o := model()
	c := checkpoint.New(nil, checkpoint.Objects{"model": m, "optimizer": o}, nil)
	manager, err := checkpoint.NewManager(ctx, c, run.Dir(), run.ManagerOptions(nil))
	check(err)
	if os.Args[3] != "-" {
		from, err := e.Run(ctx, os.Args[3])
		check(err)
		_, err = run.RestoreFrom(ctx, manager, from, "")
		check(err)
	}
	for i, text := range os.Args[5:] {
		loss, err := strconv.ParseFloat(text, 64)
		check(err)
		step := int64(10 * (i + 1))
		_, err = manager.Save(ctx, &checkpoint.SaveOptions{Step: &step, Metrics: map[string]float64{"loss": loss}})
		check(err)
	}
	check(manager.Close(ctx))
	check(run.Finish(ctx, nil))
}

// mkbundle PREFIX writes a bundle of two shards with names and types that are
// hard to print, without an object graph.
func mkbundle() {
	prefix := os.Args[1]
	big := make([]float32, 2000)
	for i := range big {
		big[i] = float32(i)
	}
	shards := []tensorbundle.Shard{
		writeShard(prefix, 0, []format.Named{
			{Name: "big", Tensor: must(tensor.New(tensor.Shape{1000, 2}, big))},
			{Name: "evil\x1b]0;owned\x07\nname", Tensor: must(tensor.New(nil, []int32{1}))},
			{Name: "not utf-8 \xff", Tensor: must(tensor.New(nil, []bool{true}))},
		}),
		writeShard(prefix, 1, []format.Named{
			{Name: "bf16", Tensor: must(tensor.New(tensor.Shape{2}, []tensor.BF16{0x3fc0, 0xff80}))},
			{Name: "empty", Tensor: must(tensor.New(tensor.Shape{0, 3}, []int64{}))},
			{Name: "texts", Tensor: must(tensor.FromStrings(tensor.Shape{2}, []string{"\x1b[2Jé", "\xff"}))},
		}),
	}
	writeIndex(prefix, shards)
}

// mkhuge PREFIX writes an index that claims a tensor of 2^60 bytes in a data
// file of one.
func mkhuge() {
	prefix := os.Args[1]
	check(os.WriteFile(tensorbundle.DataName(prefix, 0, 1), []byte{0}, 0o666))
	entry := tensorbundle.Entry{Name: "w", DType: tensor.Float32, Shape: tensor.Shape{1 << 58}, Size: 1 << 60}
	writeIndex(prefix, []tensorbundle.Shard{{Entries: []tensorbundle.Entry{entry}, Size: 1 << 60}})
}

func writeIndex(prefix string, shards []tensorbundle.Shard) {
	f, err := os.Create(tensorbundle.IndexName(prefix))
	check(err)
	check(tensorbundle.WriteIndex(f, shards))
	check(f.Close())
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func writeShard(prefix string, shard int, tensors []format.Named) tensorbundle.Shard {
	f, err := os.Create(tensorbundle.DataName(prefix, shard, 2))
	check(err)
	w := tensorbundle.NewWriter(f, shard)
	for _, t := range tensors {
		check(w.Add(t))
	}
	check(f.Close())
	return w.Shard()
}

// damage FILE flip OFFSET inverts a byte, counted from the end if OFFSET is
// below zero; FILE cut SIZE shortens the file; FILE grow SIZE lengthens it.
func damage() {
	name, what, n := os.Args[1], os.Args[2], number(os.Args[3])
	f, err := os.OpenFile(filepath.Clean(name), os.O_RDWR, 0)
	check(err)
	if what == "flip" {
		check(flip(f, n))
	} else {
		check(f.Truncate(n))
	}
	check(f.Close())
}

func flip(f *os.File, at int64) error {
	from := io.SeekStart
	if at < 0 {
		from = io.SeekEnd
	}
	at, err := f.Seek(at, from)
	if err != nil {
		return err
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{^b[0]}, at)
	return err
}
