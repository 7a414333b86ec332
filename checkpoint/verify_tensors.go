package checkpoint

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/ckpt-dev/ckpt/tensor"
)

// tensors reads tensors, several at a time, and tells of them in order.
func (v *verifier) tensors(ctx context.Context) error {
	var names []string
	for _, name := range v.r.Names() {
		if v.o.mine(name) {
			names = append(names, name)
		} else {
			v.extent(name, true)
		}
	}
	teller := &inOrder{ctx: ctx, tell: v.tensor, done: make(map[int]Verified)}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(v.o.Workers, len(names)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(names) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				teller.add(i, v.look(names[i]))
			}
		})
	}
	workers.Wait()
	return ctx.Err()
}

// inOrder calls tell for what comes in any order, from several goroutines, until
// ctx ends: what is wrong then may be just that.
type inOrder struct {
	ctx  context.Context
	mu   sync.Mutex
	tell func(Verified)
	next int
	done map[int]Verified // what has come before its turn
}

func (o *inOrder) add(i int, one Verified) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done[i] = one
	for o.ctx.Err() == nil {
		one, ok := o.done[o.next]
		if !ok {
			return
		}
		delete(o.done, o.next)
		o.next++
		o.tell(one)
	}
}

func (v *verifier) tensor(one Verified) {
	one.Bytes = v.extent(one.Name, one.Err == nil)
	v.told(one)
}

// look reads one tensor.
func (v *verifier) look(name string) Verified {
	one := Verified{Name: name, Tensor: true}
	switch {
	case v.o.Depth != DepthDeep:
		one.Err = v.r.bundle.Verify(name)
	case v.r.v2 != nil:
		one.NonFinite, one.Err = v.r.scan(name)
	default: // a value of a V1 checkpoint is one message, decoded at once
		var x tensor.Tensor
		if x, one.Err = v.r.bundle.Tensor(name); one.Err == nil {
			one.NonFinite = tensor.FindNonFinite(x.DType(), x.Bytes())
		}
	}
	one.Err = v.r.named(one.Err)
	return one
}

// scan reads a tensor and counts what is no number.
func (r *Reader) scan(name string) (tensor.NonFinite, error) {
	info, err := r.v2.Info(name)
	if err != nil {
		return tensor.NonFinite{}, err
	}
	var all tensor.NonFinite
	err = r.v2.Scan(name, func(region tensor.Slice, first int64, elems []byte) {
		found := tensor.FindNonFinite(info.DType, elems)
		if found.NaN+found.Inf == 0 {
			return
		}
		// In a region indices rise with those of the whole: the least is the first.
		at := inWhole(info.Shape, region, first+found.First)
		if all.NaN+all.Inf == 0 || at < all.First {
			all.First = at
		}
		all.NaN, all.Inf = all.NaN+found.NaN, all.Inf+found.Inf
	})
	if err != nil {
		return tensor.NonFinite{}, err
	}
	return all, nil
}

// inWhole returns the index, in a tensor of this shape, of element i of a region.
func inWhole(shape tensor.Shape, region tensor.Slice, i int64) int64 {
	var at int64
	stride := int64(1)
	for d := len(shape) - 1; d >= 0; d-- {
		at += (region.Start[d] + i%region.Length[d]) * stride
		i /= region.Length[d]
		stride *= shape[d]
	}
	return at
}
