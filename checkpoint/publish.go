package checkpoint

import (
	"context"
	"hash/crc32"
	"io"
	"iter"
	"log/slog"
	"path"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
)

// publication is one checkpoint on its way to a directory.
type publication struct {
	dir     storage.Dir
	path    string
	tensors iter.Seq2[format.Named, error] // what to write, in the order of the data file
	policy  sharding.Policy                // nil: one data file, of each worker
	crew    *crew                          // nil: this worker is alone
	counts  bool                           // the others' save counters become count
	count   int64
	free    bool // nothing is there of this path: somebody has looked
	log     *slog.Logger
	// text returns the text of the receipt, when all else is written.
	text func() ([]byte, error)
	told shelf.Told

	wrote     []shelf.File // what was written, the index last
	main, rec *shelf.Set   // what was there; nil: nothing
}

// publish writes w and makes it durable: the index last, which is what makes
// it a checkpoint.
func (w *publication) publish(ctx context.Context) (err error) {
	if w.crew != nil {
		return w.publishTogether(ctx)
	}
	if err := w.look(ctx); err != nil {
		return err
	}
	var out output
	defer func() { err = out.end(err) }()
	shards, err := w.writeData(ctx, &out)
	if err == nil {
		err = w.writeIndex(ctx, &out, shards)
	}
	if err == nil {
		err = w.writeReceipt(ctx, &out)
	}
	if err != nil {
		return err
	}
	return w.commit(ctx, &out)
}

// output are the files that are written and wait to be published.
type output struct {
	data           []storage.Pending
	index, receipt storage.Pending
}

// end gives up what is not committed.
func (o *output) end(err error) error {
	for _, p := range append([]storage.Pending{o.index, o.receipt}, o.data...) {
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
func (w *publication) writeIndex(ctx context.Context, out *output, shards []tensorbundle.Shard) (err error) {
	name := tensorbundle.IndexName(w.path)
	if out.index, err = w.dir.Create(ctx, name); err != nil {
		return err
	}
	index := &summer{w: out.index}
	if err := tensorbundle.WriteIndex(index, shards); err != nil {
		return err
	}
	w.wrote = nil
	for i, s := range shards {
		data := tensorbundle.DataName(w.path, i, len(shards))
		w.wrote = append(w.wrote, shelf.File{Name: path.Base(data), Size: s.Size, CRC32C: s.CRC32C})
	}
	w.wrote = append(w.wrote, shelf.File{Name: path.Base(name), Size: index.n, CRC32C: index.sum})
	return nil
}

func (w *publication) writeReceipt(ctx context.Context, out *output) error {
	text, err := w.text()
	if err != nil {
		return err
	}
	if out.receipt, err = w.dir.Create(ctx, filename.OfReceipt(w.path)); err != nil {
		return err
	}
	_, err = out.receipt.Write(text)
	return err
}

// commit publishes the files. A path that is taken needs more care.
func (w *publication) commit(ctx context.Context, out *output) error {
	if w.main != nil && w.main.Index != nil {
		return w.replace(ctx, out)
	}
	// A wave has no order, but places that publish one after the other take
	// the one given: by its receipt an orphan is known to be ours.
	first := append([]storage.Pending{out.receipt}, out.data...)
	if err := storage.CommitAll(ctx, w.dir, first, []storage.Pending{out.index}); err != nil {
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
