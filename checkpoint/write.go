package checkpoint

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"log/slog"
	"os"
	"path"
	"time"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// writing is one checkpoint on its way to a directory.
type writing struct {
	dir       storage.Dir
	path      string
	tensors   iter.Seq2[format.Named, error] // what to write, in the order of the data file
	policy    sharding.Policy                // nil: one data file, of each worker
	crew      *crew                          // nil: this worker is alone
	counts    bool                           // its number is that of the save counter
	free      bool                           // nothing is there of this path: somebody has looked
	main, rec *shelf.Set                     // what is there of it; nil: nothing
	receipt   Receipt                        // what the caller knows of it
	start     time.Time
	now       func() time.Time
	log       *slog.Logger
}

// Write saves the objects as the checkpoint path of dir, without touching
// save counter or state file. An existing checkpoint of that path is replaced;
// after a crash it or the new one is there. Read is its counterpart.
//
// With Options.Async it returns before the checkpoint exists. An EarlierError
// is then that of another save, which does not keep this one from being made.
// (TensorFlow: tf.train.Checkpoint.write)
func (c *Checkpoint) Write(ctx context.Context, dir storage.Dir, path string) error {
	s := &plainSave{c: c, dir: dir}
	s.w.path, s.w.receipt.Writer = path, WriterWrite
	err := s.run(ctx, s.handed, s.w.publish)
	if err != nil {
		err = fmt.Errorf("write %s: %w", path, err)
	}
	return c.outcomes.before(err, c)
}

// hand gives w the objects' tensors as they are when they are written, one
// object's at a time, and the save counter.
func (c *Checkpoint) hand(w *writing) error {
	if c.misuse != nil {
		return c.misuse
	}
	root, attached := c.node0()
	w.tensors = trackable.Save(root, &trackable.SaveOptions{Attached: attached})
	w.policy = c.o.Sharding
	w.receipt.SaveCounter = c.SaveCounter()
	return nil
}

// publish writes w and makes it durable: the index last, which is what makes
// it a checkpoint. It fills in w.receipt.
func (w *writing) publish(ctx context.Context) (err error) {
	if w.crew != nil {
		return w.publishTogether(ctx)
	}
	if err := filename.Check(w.path); err != nil {
		return err
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
func (w *writing) writeIndex(ctx context.Context, out *output, shards []tensorbundle.Shard) (err error) {
	name := tensorbundle.IndexName(w.path)
	if out.index, err = w.dir.Create(ctx, name); err != nil {
		return err
	}
	index := &summer{w: out.index}
	if err := tensorbundle.WriteIndex(index, shards); err != nil {
		return err
	}
	w.receipt.Files = nil
	for i, s := range shards {
		data := tensorbundle.DataName(w.path, i, len(shards))
		w.receipt.Files = append(w.receipt.Files, ReceiptFile{path.Base(data), s.Size, s.CRC32C})
	}
	w.receipt.Files = append(w.receipt.Files, ReceiptFile{path.Base(name), index.n, index.sum})
	return nil
}

func (w *writing) writeReceipt(ctx context.Context, out *output) error {
	r := &w.receipt
	r.Schema, r.Path, r.PID = receiptSchema, w.path, os.Getpid()
	// A host without a name is no reason not to save.
	r.Host, _ = os.Hostname()
	r.stamp()
	r.Time = w.now().UTC()
	r.Duration = max(r.Time.Sub(w.start), 0)
	text, err := r.MarshalJSON()
	if err != nil {
		return err
	}
	if out.receipt, err = w.dir.Create(ctx, ReceiptName(w.path)); err != nil {
		return err
	}
	_, err = out.receipt.Write(text)
	return err
}

// commit publishes the files. A path that is taken needs more care.
func (w *writing) commit(ctx context.Context, out *output) error {
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
