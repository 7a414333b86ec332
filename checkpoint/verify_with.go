package checkpoint

import (
	"context"
	"fmt"
	"hash/crc32"
	"runtime"

	"github.com/ckpt-dev/ckpt/tensor"
)

// Depth is how much VerifyWith looks at.
type Depth int

const (
	// DepthChecksums reads all tensors and files, and compares checksums.
	DepthChecksums Depth = iota
	// DepthQuick is what VerifyQuick does: sizes, receipt and index.
	DepthQuick
	// DepthDeep also reads the object graph, whose every reference has to lead
	// to a node and every attribute to a tensor, decodes all elements, and
	// counts those that are NaN or infinite.
	DepthDeep
)

// VerifyOptions change what VerifyWith does. Nil and zero values are the
// defaults.
type VerifyOptions struct {
	Depth Depth
	// Part of Parts, counted from 1: only the tensors of one part are read, as
	// their names say, so that Parts runs read each of them once, whatever was
	// saved meanwhile. What is checked without reading tensors is checked by
	// each. Default: all.
	Part, Parts int
	// Workers is how many tensors are read at a time; each takes at most 1 MiB,
	// of V1 checkpoints what the tensor takes. Default: runtime.GOMAXPROCS.
	Workers int
	// Visit is called for everything that was checked, one at a time, tensors
	// in the order of the files.
	Visit func(Verified)
}

// Verified is a tensor or file that was looked at.
type Verified struct {
	Name   string
	Tensor bool  // not a file
	Bytes  int64 // that were checked
	Err    error // what is wrong with it
	// NonFinite is how many elements are no numbers, and the first of them:
	// nothing is wrong with the file, but with the training perhaps. Only
	// DepthDeep counts.
	NonFinite tensor.NonFinite
}

// VerifyWith checks a checkpoint as o says. It goes on after damage and
// returns the first it met; it stops only when ctx ends. Memory does not grow
// with the size of tensors.
func (r *Reader) VerifyWith(ctx context.Context, o *VerifyOptions) error {
	v := &verifier{r: r, covered: make(map[int][]span)}
	if o != nil {
		v.o = *o
	}
	if err := v.o.check(); err != nil {
		return fmt.Errorf("verify %s: %w", r.path, err)
	}
	for _, step := range v.steps() {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return v.first
}

func (o *VerifyOptions) check() error {
	if o.Workers < 1 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case o.Depth < DepthChecksums || o.Depth > DepthDeep:
		return fmt.Errorf("depth %d is none", o.Depth)
	case o.Parts != 0 && (o.Part < 1 || o.Part > o.Parts), o.Parts == 0 && o.Part != 0:
		return fmt.Errorf("there is no part %d of %d", o.Part, o.Parts)
	}
	return nil
}

// mine reports whether what has this name is of the part to look at.
func (o *VerifyOptions) mine(name string) bool {
	return o.Parts <= 1 || int(crc32.Checksum([]byte(name), crc32.MakeTable(crc32.Castagnoli))%uint32(min(o.Parts, 1<<31)))+1 == o.Part
}

// steps returns what there is to do. A V1 checkpoint has neither data files of
// their own nor a receipt that tells of files.
func (v *verifier) steps() []func(context.Context) error {
	switch {
	case v.o.Depth == DepthQuick:
		return []func(context.Context) error{v.quick}
	case v.r.v2 == nil && v.o.Depth == DepthDeep:
		return []func(context.Context) error{v.tensors, v.graph}
	case v.r.v2 == nil:
		return []func(context.Context) error{v.tensors}
	case v.o.Depth == DepthDeep:
		return []func(context.Context) error{v.dataFiles, v.tensors, v.receipt, v.graph}
	}
	return []func(context.Context) error{v.dataFiles, v.tensors, v.receipt}
}

func (v *verifier) quick(ctx context.Context) error {
	err := v.r.VerifyQuick(ctx)
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	v.tell(v.r.path, 0, err)
	return nil
}
