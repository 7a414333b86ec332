package doctor

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/tensor"
)

// checkReceipts reads the receipts. What is wrong with one is told when it is
// known whether the checkpoint is whole.
func (x *examiner) checkReceipts(ctx context.Context) error {
	x.receipts = make(map[string]checkpoint.Receipt)
	for p, s := range x.sets {
		if s.Receipt == nil {
			continue
		}
		r, err := checkpoint.ReadReceipt(ctx, x.dir, p)
		if err == nil {
			x.receipts[p] = r
		} else if err := x.unlessUnreadable(ctx, p, unlessDamage(err)); err != nil {
			return err
		}
	}
	return nil
}

// aboutReceipt is about the receipt of a checkpoint that is whole. wrong is
// what verification says of it, nil if nothing.
func (x *examiner) aboutReceipt(p string, wrong error) {
	name := checkpoint.ReceiptName(p)
	_, readable := x.receipts[p]
	f := Finding{Severity: Problem, Path: p, Files: []string{name}, Fixable: true, step: stepReceipt,
		Fix: "writes a new one from index and data, all of which were read, and keeps the old one beside. Metrics and tags are lost; " + pinned}
	switch {
	case x.lacksReceipt(p):
		f.Kind, f.What = ReceiptMissing, p+" has no receipt"
		f.Why = "earlier checkpoints of the same name were saved by a manager that writes one"
		f.Fix = "writes one from index and data, all of which were read. Metrics and tags are lost; " + pinned
	case x.sets[p].Receipt == nil:
		return // another program's, which writes none
	case !readable && wrong != nil:
		f.Kind, f.What, f.Err = ReceiptBroken, "the receipt of "+p+" is broken", wrong
	case wrong != nil:
		f.Kind, f.What, f.Err = ReceiptWrong, "the receipt of "+p+" is about another checkpoint", wrong
		f.Fix = "writes a new one from index and data, all of which were read, and keeps the old one beside. Pin and tags stay as they are"
	default:
		return
	}
	if wrong != nil {
		f.Why = wrong.Error() + ", and yet every tensor's checksum is right"
	}
	f.mend = func(ctx context.Context) error { return x.rebuildReceipt(ctx, p, f.What) }
	x.find(f)
}

const pinned = "it is pinned, because nobody can know whether it was: ckpt unpin lets rules remove it"

// lacksReceipt reports whether a checkpoint should have a receipt and has none:
// a manager of ours saved one of the same name and a lower number. Before that,
// another program may have saved here.
func (x *examiner) lacksReceipt(p string) bool {
	name, n, ok := filename.SplitNumber(p)
	if s := x.sets[p]; !ok || s == nil || s.Receipt != nil {
		return false
	}
	for q, r := range x.receipts {
		if m, same := filename.NumberOf(name, q); same && m < n && r.Writer == checkpoint.WriterManager {
			return true
		}
	}
	return false
}

// rebuildReceipt verifies a checkpoint without its receipt and writes a new
// one. It names no writer, so that no manager takes the checkpoint for one that
// it may remove.
func (x *examiner) rebuildReceipt(ctx context.Context, p, why string) error {
	name := checkpoint.ReceiptName(p)
	if err := x.read(ctx, lacking{x.dir, name}, p, true); err != nil {
		return err
	}
	r, err := x.receiptOf(ctx, p, why)
	if err != nil {
		return err
	}
	// Else a pin that was written in between would be lost.
	return dirlock.BetweenSweeps(ctx, x.dir, dirlock.PinPatience, func(dir storage.Dir) error {
		was, err := checkpoint.ReadReceipt(ctx, x.dir, p)
		if err == nil {
			r.Pinned, r.Tags, r.Rejected = was.Pinned, was.Tags, was.Rejected
		}
		if err := unlessDamage(err); err != nil {
			return err
		}
		if err := x.keep(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return checkpoint.WriteReceipt(ctx, dir, p, r)
	})
}

// pinLost pins what is left of a checkpoint whose index was lost.
func (x *examiner) pinLost(ctx context.Context, p string) error {
	return dirlock.BetweenSweeps(ctx, x.dir, dirlock.PinPatience, func(dir storage.Dir) error {
		r, err := checkpoint.ReadReceipt(ctx, dir, p)
		if err != nil {
			return err
		}
		r.Pinned = "its index was lost; ckpt doctor has seen it"
		return checkpoint.WriteReceipt(ctx, dir, p, r)
	})
}

// receiptOf says of a checkpoint what can be known from its files.
func (x *examiner) receiptOf(ctx context.Context, p, why string) (checkpoint.Receipt, error) {
	r := checkpoint.Receipt{Path: p, Time: x.sets[p].ModTime().UTC(), Rebuilt: why, Pinned: "its receipt was rebuilt, and may have said so"}
	shards, err := x.inside(ctx, p, &r)
	if err != nil {
		return r, err
	}
	for i := range shards {
		f, err := x.sum(ctx, tensorbundle.DataName(p, i, shards))
		if err != nil {
			return r, err
		}
		r.Files = append(r.Files, f)
	}
	f, err := x.sum(ctx, tensorbundle.IndexName(p))
	if err != nil {
		return r, err
	}
	r.Files = append(r.Files, f)
	// Not what lies there, which may be damaged, but what belongs there.
	for _, name := range x.parityOf(p, shards) {
		f, err := x.protect(ctx, name, io.Discard)
		if err != nil {
			return r, err
		}
		r.Parity = append(r.Parity, f)
	}
	return r, nil
}

// inside reads the save counter, if a save has put one into the checkpoint,
// and returns the number of data files.
func (x *examiner) inside(ctx context.Context, p string, receipt *checkpoint.Receipt) (shards int, err error) {
	const key = "save_counter/.ATTRIBUTES/VARIABLE_VALUE"
	r, err := checkpoint.Load(ctx, x.dir, p)
	if err != nil {
		return 0, err
	}
	if slices.Contains(r.Names(), key) {
		t, failed := r.Tensor(key)
		if n, ok := tensor.Elements[int64](t); failed == nil && ok == nil && len(n) == 1 {
			receipt.SaveCounter = n[0]
		}
		err = failed
	}
	if closed := r.Close(); err == nil {
		err = closed
	}
	return r.Shards(), err
}

// sum returns what a receipt says of a file.
func (x *examiner) sum(ctx context.Context, name string) (checkpoint.ReceiptFile, error) {
	of, _ := filename.Parse(name)
	f, err := x.watched(x.dir, of.Path).Open(ctx, name)
	if err != nil {
		return checkpoint.ReceiptFile{}, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	n, err := io.Copy(sum, io.NewSectionReader(f, 0, f.Size()))
	if closed := f.Close(); err == nil {
		err = closed
	}
	return checkpoint.ReceiptFile{Name: path.Base(name), Size: n, CRC32C: sum.Sum32()}, err
}
