package checkpoint

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/publish"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/trackable"
)

// writing is a checkpoint of the objects on its way to a directory.
type writing struct {
	publish.Writing
	receipt Receipt // what the caller knows of it
	start   time.Time
	now     func() time.Time
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
	s.w.Path, s.w.receipt.Writer = path, WriterWrite
	err := s.run(ctx, s.handed, s.w.Publish)
	if err != nil {
		err = fmt.Errorf("write %s: %w", path, err)
	}
	return c.outcomes.before(err, c, s.begun)
}

// hand gives w the objects' tensors as they are when they are written, one
// object's at a time, and the save counter.
func (c *Checkpoint) hand(w *writing) error {
	if c.misuse != nil {
		return c.misuse
	}
	root, attached := c.node0()
	w.Tensors = trackable.Save(root, &trackable.SaveOptions{Attached: attached})
	w.Policy, w.Count, w.Protect = c.o.Sharding, c.SaveCounter(), c.o.Parity
	w.ReceiptText, w.Told = w.receiptText, receiptFiles
	w.Lineage, w.Frozen = c.lineage, c.o.Frozen
	if c.o.Exactly.On() {
		return nil
	}
	var err error
	w.Bytes, _, err = trackable.SizeOf(root, &trackable.SaveOptions{Attached: attached})
	w.Need = w.Bytes
	if c.o.Parity {
		w.Need += w.Bytes / publish.ParityShare
	}
	return err
}

// receiptText completes the receipt with what is known when all files are
// written, and returns its text.
func (w *writing) receiptText() ([]byte, error) {
	r := &w.receipt
	r.Files, r.Parity = receiptsFiles(w.Wrote), receiptsFiles(w.Parity)
	r.Schema, r.Path, r.SaveCounter, r.PID = receiptSchema, w.Path, w.Count, os.Getpid()
	// A host without a name is no reason not to save.
	r.Host, _ = os.Hostname()
	r.Token = dirlock.Token(w.Dir)
	r.stamp()
	r.Time = w.now().UTC()
	r.Duration = max(r.Time.Sub(w.start), 0)
	return r.text()
}

func receiptsFiles(wrote []shelf.File) []ReceiptFile {
	var files []ReceiptFile
	for _, f := range wrote {
		files = append(files, ReceiptFile(f))
	}
	return files
}
