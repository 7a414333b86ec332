// Package publish writes the files of a checkpoint and lets them appear in
// their directory together, of one worker or of several: it turns a sequence of
// named tensors into data files, index and receipt, all of them durable, over an
// old checkpoint of the same path if need be. After a crash at any moment the
// old one is there or the new one.
package publish

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"iter"
	"log/slog"
	"path"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/arena"
	"github.com/ckpt-dev/ckpt/internal/crew"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
)

// Writing is one checkpoint on its way to a directory.
type Writing struct {
	Dir     storage.Dir
	Path    string
	Tensors iter.Seq2[format.Named, error] // what to write, in the order of the data file
	Policy  sharding.Policy                // nil: one data file, of each worker
	Crew    *crew.Worker                   // nil: this worker is alone
	Counts  bool                           // the save counters of the others become Count
	Count   int64
	Free    bool                   // nothing is there of this path: somebody has looked
	Need    int64                  // bytes that are surely written, 0 if nobody knows
	Bytes   int64                  // of the tensors, as far as they tell beforehand
	Protect bool                   // with parity
	Lineage *Lineage               // nil: everything is written; not with Policy or Crew
	Frozen  func(name string) bool // tensors that the program does not change; nil: none
	Log     *slog.Logger
	// ReceiptText returns what the receipt is to hold. It is called when the
	// other files are written, and Wrote tells of them.
	ReceiptText func() ([]byte, error)
	// StateText returns what the state file is to say when the checkpoint is there.
	// It is called after ReceiptText; nil, or an empty text: the state file stays
	// as it is.
	StateText func() ([]byte, error)
	StateName string     // of the state file: not always beside the checkpoint
	Told      shelf.Told // reads the receipt of what is replaced

	Wrote     []shelf.File // data files and, last, the index
	Parity    []shelf.File // of each of those, in the same order
	Linked    int64        // bytes of those two that are not written, when Plan has made one
	main, rec *shelf.Set   // what was there of the path; nil: nothing

	plan *plan // with a Lineage

	// Of a snapshot:
	memory    Memory
	copies    *arena.Arena // nil: there is none
	source    iter.Seq2[format.Named, error]
	handover  *handover         // nil: all is copied
	described []sharding.Tensor // with a Policy
}

// Replaced reports whether files of this path were there before.
func (w *Writing) Replaced() bool { return w.main != nil }

// Publish writes w and makes it durable: the index last, which is what makes
// it a checkpoint, and then the state file. If that alone fails, the checkpoint
// is there.
func (w *Writing) Publish(ctx context.Context) (err error) {
	if w.Crew != nil {
		if err := w.publishTogether(ctx); err != nil {
			return err
		}
		return w.writeState(ctx)
	}
	defer func() {
		if err != nil {
			err = alsoFailed(err, w.abandon())
		}
	}()
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if !w.replaces() {
		return w.publishAlone(ctx, w.createState)
	}
	// The old checkpoint is given up when the new one is there, whatever becomes
	// of the state file.
	if err := w.publishAlone(ctx, nil); err != nil {
		return err
	}
	return w.writeState(ctx)
}

// publishAlone is Publish of who is the only worker; last creates what is
// published after the index.
func (w *Writing) publishAlone(ctx context.Context, last func(context.Context, *output) error) (err error) {
	var out output
	defer func() { err = out.end(err) }()
	shards, told, err := w.writeData(ctx, &out)
	w.Parity = told
	if err == nil {
		err = w.writeIndex(ctx, &out, shards)
	}
	if err == nil {
		err = w.writeReceipt(ctx, &out)
	}
	if err == nil && last != nil {
		err = last(ctx, &out)
	}
	if err != nil {
		return err
	}
	if err := w.commit(ctx, &out); err != nil {
		w.Lineage.remember(nil) // of a file whose flush failed nobody knows what it has
		return err
	}
	w.remember(ctx, shards)
	return nil
}

// alsoFailed returns err, and with it what failed in its wake, if anything.
func alsoFailed(err, wake error) error {
	if wake == nil {
		return err
	}
	return errors.Join(err, wake)
}

// output are the files that are written and wait to be published.
type output struct {
	data           []storage.Pending // parity included
	index, receipt storage.Pending
	indexParity    storage.Pending // nil: there is none
	state          storage.Pending // nil: it stays, or is written later
}

// end gives up what is not committed.
func (o *output) end(err error) error {
	for _, p := range append([]storage.Pending{o.index, o.receipt, o.indexParity, o.state}, o.data...) {
		if p == nil {
			continue
		}
		// Of a committed one this does nothing.
		if discarded := p.Discard(); err == nil {
			err = discarded
		}
	}
	return err
}

// writeIndex writes the index, and notes all files' sizes and sums.
func (w *Writing) writeIndex(ctx context.Context, out *output, shards []tensorbundle.Shard) (err error) {
	name := tensorbundle.IndexName(w.Path)
	if out.index, err = w.Dir.Create(ctx, name); err != nil {
		return err
	}
	beside, err := w.protect(ctx, name, out.index)
	if err != nil {
		return err
	}
	out.indexParity = beside.pending
	index := &summer{w: beside}
	if err := tensorbundle.WriteIndex(index, shards); err != nil {
		return err
	}
	told, err := beside.end()
	if err != nil {
		return err
	}
	w.Parity = append(w.Parity, told...)
	w.Wrote = nil
	for i, s := range shards {
		data := tensorbundle.DataName(w.Path, i, len(shards))
		if w.plan != nil && i >= w.plan.writes {
			w.Wrote = append(w.Wrote, w.linkedFile(i))
			continue
		}
		w.Wrote = append(w.Wrote, shelf.File{Name: path.Base(data), Size: s.Size, CRC32C: s.CRC32C})
	}
	w.Wrote = append(w.Wrote, shelf.File{Name: path.Base(name), Size: index.n, CRC32C: index.sum})
	return nil
}

func (w *Writing) writeReceipt(ctx context.Context, out *output) error {
	text, err := w.ReceiptText()
	if err != nil {
		return err
	}
	if out.receipt, err = w.Dir.Create(ctx, filename.OfReceipt(w.Path)); err != nil {
		return err
	}
	_, err = out.receipt.Write(text)
	return err
}

// commit publishes the files. A path that is taken needs more care.
func (w *Writing) commit(ctx context.Context, out *output) error {
	if w.replaces() {
		return w.replace(ctx, out)
	}
	// A wave has no order, but places that publish one after the other take
	// the one given: by its receipt an orphan is known to be ours.
	first := append([]storage.Pending{out.receipt}, out.data...)
	if err := storage.CommitAll(ctx, w.Dir, append([][]storage.Pending{first}, out.indexLast(false)...)...); err != nil {
		w.dropHalf(ctx)
		return err
	}
	w.dropStale(ctx)
	return nil
}

// summer counts and sums what passes through it.
type summer struct {
	w   io.Writer
	n   int64
	sum uint32
}

func (s *summer) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.n += int64(n)
	s.sum = crc32.Update(s.sum, castagnoli, b[:n])
	return n, err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
