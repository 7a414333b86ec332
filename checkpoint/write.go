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
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// writing is one checkpoint on its way to a directory.
type writing struct {
	dir       storage.Dir
	path      string
	tensors   iter.Seq2[format.Named, error] // what to write, in the order of the data file
	free      bool                           // nothing is there of this path: somebody has looked
	main, rec *fileSet                       // what is there of it; nil: nothing
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
	w.receipt.SaveCounter = c.SaveCounter()
	return nil
}

// publish writes w and makes it durable: the index last, which is what makes
// it a checkpoint. It fills in w.receipt.
func (w *writing) publish(ctx context.Context) (err error) {
	if err := checkPath(w.path); err != nil {
		return err
	}
	if err := w.look(ctx); err != nil {
		return err
	}
	var pending []storage.Pending
	defer func() {
		for _, p := range pending {
			// Of a committed one this does nothing.
			if discarded := p.Discard(); err == nil {
				err = discarded
			}
		}
	}()
	create := func(name string) (storage.Pending, error) {
		p, err := w.dir.Create(ctx, name)
		if err == nil {
			pending = append(pending, p)
		}
		return p, err
	}
	if err := w.fill(ctx, create); err != nil {
		return err
	}
	return w.commit(ctx, pending[0], pending[1], pending[2])
}

// fill writes data, index and receipt, in this order, to pending files.
func (w *writing) fill(ctx context.Context, create func(string) (storage.Pending, error)) error {
	shard, err := w.writeData(ctx, create)
	if err != nil {
		return err
	}
	dataName, indexName := tensorbundle.DataName(w.path, 0, 1), tensorbundle.IndexName(w.path)
	p, err := create(indexName)
	if err != nil {
		return err
	}
	index := &summer{w: p}
	if err := tensorbundle.WriteIndex(index, []tensorbundle.Shard{shard}); err != nil {
		return err
	}
	w.receipt.Files = []ReceiptFile{
		{path.Base(dataName), shard.Size, shard.CRC32C},
		{path.Base(indexName), index.n, index.sum},
	}
	return w.writeReceipt(create)
}

// writeData streams the tensors into the data file.
func (w *writing) writeData(ctx context.Context, create func(string) (storage.Pending, error)) (tensorbundle.Shard, error) {
	p, err := create(tensorbundle.DataName(w.path, 0, 1))
	if err != nil {
		return tensorbundle.Shard{}, err
	}
	data := tensorbundle.NewWriter(p, 0)
	for t, err := range w.tensors {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = data.Add(t)
		}
		if err != nil {
			return tensorbundle.Shard{}, err
		}
	}
	return data.Shard(), nil
}

func (w *writing) writeReceipt(create func(string) (storage.Pending, error)) error {
	r := &w.receipt
	r.Schema, r.Path, r.PID = receiptSchema, w.path, os.Getpid()
	// A host without a name is no reason not to save.
	r.Host, _ = os.Hostname()
	r.Time = w.now().UTC()
	r.Duration = max(r.Time.Sub(w.start), 0)
	text, err := r.MarshalJSON()
	if err != nil {
		return err
	}
	p, err := create(ReceiptName(w.path))
	if err != nil {
		return err
	}
	_, err = p.Write(text)
	return err
}

// commit publishes the three files. A path that is taken needs more care.
func (w *writing) commit(ctx context.Context, data, index, receipt storage.Pending) error {
	if w.main != nil && w.main.index != nil {
		return w.replace(ctx, data, index, receipt)
	}
	// A wave has no order, but places that publish one after the other take
	// the one given: by its receipt an orphan is known to be ours.
	return storage.CommitAll(ctx, w.dir, []storage.Pending{receipt, data}, []storage.Pending{index})
}

// checkPath refuses names that would be taken for something else later.
func checkPath(p string) error {
	if err := storage.CheckName("create", p); err != nil {
		return err
	}
	if path.Base(p) == stateName {
		return fmt.Errorf("a checkpoint cannot have the name of the state file, %q", stateName)
	}
	if path.Ext(p) == recoverySuffix {
		return fmt.Errorf("names that end in %q are reserved", recoverySuffix)
	}
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
