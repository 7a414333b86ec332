package publish

import (
	"context"
	"errors"
	"fmt"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// writeData streams the tensors into the data files. It returns what the index
// and the receipt say of them and of their parity.
func (w *Writing) writeData(ctx context.Context, out *output) ([]tensorbundle.Shard, []shelf.File, error) {
	f := dataFiles{ctx: ctx, w: w, files: make([]dataFile, 1), out: out}
	if p := w.plan; p != nil {
		f.files, f.left = make([]dataFile, p.writes+len(p.links)), p.written()
		out.data, p.pending = append(out.data, p.pending...), nil
	}
	if w.Policy != nil {
		all, err := w.described, error(nil)
		if w.handover == nil {
			all, err = w.describe(ctx)
		}
		if err == nil {
			f.layout, err = w.layout(all)
		}
		if err != nil {
			return nil, nil, err
		}
		f.files, f.left = make([]dataFile, len(f.layout.Shards)), len(all)
	}
	if err := w.stream(&f); err != nil {
		return nil, nil, err
	}
	return f.shards()
}

// stream writes the tensors to their files.
func (w *Writing) stream(f *dataFiles) error {
	for t, err := range w.Tensors {
		if err == nil {
			err = f.ctx.Err()
		}
		if err == nil {
			err = f.add(t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// describe goes through the tensors and keeps only what they are like.
func (w *Writing) describe(ctx context.Context) ([]sharding.Tensor, error) {
	var all []sharding.Tensor
	for t, err := range w.Tensors {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		d, err := sharding.Describe(t, 0)
		if err != nil {
			return nil, err
		}
		if t.Name == trackable.GraphKey {
			d.Bytes, d.Element = 0, 0 // as in TensorFlow, which makes it after the layout
		}
		all = append(all, d)
	}
	return all, nil
}

// layout asks the policy.
func (w *Writing) layout(all []sharding.Tensor) (*sharding.Layout, error) {
	policy := w.Policy
	if policy == nil {
		policy = sharding.ByWorker()
	}
	l, err := sharding.Split(policy, all)
	if err != nil {
		return nil, err
	}
	for _, text := range l.Warnings {
		w.Log.Warn("sharding", "path", w.Path, "policy", policy.Description(), "warning", text)
	}
	return l, nil
}

// dataFiles are the data files of a checkpoint while they are written. Each is
// created with its first tensor.
type dataFiles struct {
	ctx    context.Context
	w      *Writing
	layout *sharding.Layout // nil: all is in one
	left   int              // with a layout or a plan: how many tensors are to come
	mine   func(int) bool   // which of them this worker writes; nil: all
	files  []dataFile
	out    *output
}

// dataFile is one of them; the zero dataFile is none yet.
type dataFile struct {
	*tensorbundle.Writer
	beside *protected
}

// add writes a tensor, or its parts, to where the layout says.
func (f *dataFiles) add(t format.Named) error {
	switch {
	case f.w.plan != nil:
		return f.addPlanned(t)
	case f.layout == nil:
		return f.put(0, t)
	}
	f.left--
	parts := f.layout.Parts(t.Name, t.Slice)
	if len(parts) == 0 {
		return fmt.Errorf("%s: came while the checkpoint was written", t.Name)
	}
	for _, p := range parts {
		if f.mine != nil && !f.mine(p.Shard) {
			continue
		}
		part, err := partOf(t, p)
		if err != nil {
			return fmt.Errorf("%s: changed while the checkpoint was written: %w", t.Name, err)
		}
		if err := f.put(p.Shard, part); err != nil {
			return err
		}
	}
	return nil
}

// addPlanned writes a tensor to where the plan says, if it is to be written, and
// notes what it was.
func (f *dataFiles) addPlanned(t format.Named) error {
	p, key := f.w.plan, keyOf(t)
	i, known := p.at[key]
	switch {
	case !known:
		return fmt.Errorf("%s: came while the checkpoint was written", t.Name)
	case p.isLinked(i):
		return nil
	}
	f.left--
	if !f.w.Lineage.watches(t) {
		return f.put(p.to[i], t)
	}
	if f.w.copies != nil && f.w.isFrozen(t) {
		return f.addFrozen(p.to[i], t)
	}
	sum := make(chan content, 1)
	go func() { sum <- f.w.Lineage.content(t.Tensor.Bytes()) }() // while the disk has to do
	err := f.put(p.to[i], t)
	p.sums[key] = <-sum
	return err
}

// addFrozen writes a tensor from the object's own memory while the program goes
// on. If that changes it against its promise the file has bytes of two moments, or
// others than it is said to have, and the next save would find the tensor as
// it was noted: there must be no such checkpoint.
func (f *dataFiles) addFrozen(shard int, t format.Named) error {
	sum := f.w.Lineage.content(t.Tensor.Bytes())
	if err := f.put(shard, t); err != nil {
		return err
	}
	if !f.w.Lineage.isOf(sum, t.Tensor.Bytes()) {
		return fmt.Errorf("%s: is frozen, and has changed while it was written", t.Name)
	}
	f.w.plan.sums[keyOf(t)] = sum
	return nil
}

func (f *dataFiles) put(shard int, t format.Named) error {
	if f.files[shard].Writer == nil {
		if err := f.create(shard); err != nil {
			return err
		}
	}
	if f.w.copies != nil && f.w.copies.Holds(t.Tensor.Bytes()) {
		return f.files[shard].AddKept(t)
	}
	return f.files[shard].Add(t)
}

func (f *dataFiles) create(shard int) error {
	name := tensorbundle.DataName(f.w.Path, shard, len(f.files))
	p, err := f.w.Dir.Create(f.ctx, name)
	if err != nil {
		return err
	}
	f.out.data = append(f.out.data, p)
	beside, err := f.w.protect(f.ctx, name, p)
	if err != nil {
		return err
	}
	if beside.pending != nil {
		f.out.data = append(f.out.data, beside.pending)
	}
	f.files[shard] = dataFile{tensorbundle.NewWriter(beside, shard), beside}
	return nil
}

// shards returns what the index needs to know, and the receipt of parity.
func (f *dataFiles) shards() ([]tensorbundle.Shard, []shelf.File, error) {
	list := make([]tensorbundle.Shard, len(f.files))
	var told []shelf.File
	for i, d := range f.files {
		if p := f.w.plan; p != nil && i >= p.writes {
			list[i] = p.linked(i)
			told = append(told, f.w.linkedParity(i)...)
			continue
		}
		if d.Writer == nil && f.mine != nil && !f.mine(i) {
			continue
		}
		if d.Writer == nil || f.left != 0 {
			return nil, nil, errors.New("tensors went away while the checkpoint was written")
		}
		list[i] = d.Shard()
		one, err := d.beside.end()
		if err != nil {
			return nil, nil, err
		}
		told = append(told, one...)
	}
	return list, told, nil
}

// partOf returns the part p of t, without a copy if its elements lie in a row.
func partOf(t format.Named, p sharding.Part) (format.Named, error) {
	if p.Slice == nil || t.Slice != nil && t.Slice.Equal(*p.Slice) {
		return t, nil
	}
	all := tensor.Whole(p.Full)
	if t.Slice != nil {
		r, err := t.Slice.Resolve(p.Full)
		if err != nil {
			return format.Named{}, err
		}
		all = r
	}
	if !all.Shape().Equal(t.Tensor.Shape()) {
		return format.Named{}, fmt.Errorf("shape is %v, was %v", t.Tensor.Shape(), all.Shape())
	}
	value, err := view(t.Tensor, all, *p.Slice)
	return format.Named{Name: t.Name, Tensor: value, Slice: p.Slice, Full: p.Full}, err
}

// view returns the part of t, which is the region all of something, that lies
// at the region part.
func view(t tensor.Tensor, all, part tensor.Slice) (tensor.Tensor, error) {
	runs, at, size := 0, int64(0), int64(t.DType().Size())
	tensor.Runs(part, all, func(_, src, _ int64) {
		if runs++; runs == 1 {
			at = src
		}
	})
	if n, err := part.Shape().NumElements(); runs == 1 && size > 0 && err == nil {
		return tensor.FromBytes(t.DType(), part.Shape(), t.Bytes()[at*size:(at+n)*size])
	}
	relative := tensor.Slice{Length: part.Length}
	for i, s := range part.Start {
		relative.Start = append(relative.Start, s-all.Start[i])
	}
	return t.Slice(relative)
}
