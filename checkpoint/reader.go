package checkpoint

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/openfiles"
	"github.com/ckpt-dev/ckpt/tensor"
)

// The file formats of checkpoints, as Reader.Format and Listing.Format tell.
const (
	FormatV2 = "V2" // tensorbundle
	FormatV1 = "V1" // tensorslice
)

// Reader reads the tensors of one checkpoint. It is safe for use by several
// goroutines. Errors about bytes are *format.CorruptError that name the file.
// (TensorFlow: tf.train.CheckpointReader)
type Reader struct {
	bundle
	v2     *tensorbundle.Reader // nil: V1
	path   string
	stored string // path its files have: the recovery path during an overwrite
	format string
	files  *openfiles.Files
	shards int

	replaced func() (bool, error) // isReplaced, asked once
}

// bundle is what both formats' readers offer.
type bundle interface {
	format.Source
	ReadInto(name string, dst []byte) error
	Slice(name string, part tensor.Slice) (tensor.Tensor, error)
	Verify(name string) error
}

// Path returns the checkpoint's path in its directory.
func (r *Reader) Path() string { return r.path }

// Format returns FormatV2 or FormatV1.
func (r *Reader) Format() string { return r.format }

// Shards returns the number of data files.
func (r *Reader) Shards() int { return r.shards }

// Close closes the files. Reading after it opens them again for as long as it
// takes, so that what waits for objects yet to come can still be restored.
func (r *Reader) Close() error { return r.files.Close() }

// Receipt reads the checkpoint's receipt. A missing one is an error that
// wraps fs.ErrNotExist.
func (r *Reader) Receipt(ctx context.Context) (Receipt, error) {
	return ReadReceipt(ctx, r.files.Dir, r.stored)
}

// Names returns the tensors' names in file order.
func (r *Reader) Names() []string { return r.bundle.Names() }

// Info returns dtype and shape of a tensor without reading it.
func (r *Reader) Info(name string) (format.Info, error) {
	info, err := r.bundle.Info(name)
	return info, r.named(err)
}

// Tensor reads a tensor and verifies its checksum.
// (TensorFlow: get_tensor)
func (r *Reader) Tensor(name string) (tensor.Tensor, error) {
	t, err := r.bundle.Tensor(name)
	return t, r.named(err)
}

// ReadInto reads the bytes of a tensor into dst, which has their length, and
// verifies their checksum.
func (r *Reader) ReadInto(name string, dst []byte) error {
	return r.named(r.bundle.ReadInto(name, dst))
}

// Slice reads a region of a tensor.
func (r *Reader) Slice(name string, part tensor.Slice) (tensor.Tensor, error) {
	t, err := r.bundle.Slice(name, part)
	return t, r.named(err)
}

// named puts the file's whole name into an error about bytes: the format
// knows only its part, "data-00000-of-00001". Of a checkpoint that is no longer
// the one that was opened, bytes say nothing.
func (r *Reader) named(err error) error {
	e, ok := err.(*format.CorruptError)
	if !ok {
		return err
	}
	whole := *e
	if !strings.HasPrefix(e.Part, r.stored) {
		whole.Part = r.stored + "." + e.Part
	}
	return r.unlessReplaced(&whole)
}

// Layout writes what the index consists of, block by block, with offsets.
// Formats that cannot tell give format.ErrUnsupported.
func (r *Reader) Layout(w io.Writer) error {
	l, ok := r.bundle.(interface{ Layout(w io.Writer) error })
	if !ok {
		return fmt.Errorf("%s: layout of a %s checkpoint: %w", r.path, r.format, format.ErrUnsupported)
	}
	return r.named(l.Layout(w))
}

// Entry returns where a tensor lies in the files. V1 checkpoints have no such
// entries: format.ErrUnsupported.
func (r *Reader) Entry(name string) (tensorbundle.Entry, error) {
	if r.v2 == nil {
		return tensorbundle.Entry{}, r.noEntries()
	}
	return r.v2.Entry(name)
}

// Slices returns the entries of the slices a partitioned tensor consists of.
func (r *Reader) Slices(name string) ([]tensorbundle.Entry, error) {
	if r.v2 == nil {
		return nil, r.noEntries()
	}
	return r.v2.Slices(name)
}

func (r *Reader) noEntries() error {
	return fmt.Errorf("%s: entries of a V1 checkpoint: %w", r.path, format.ErrUnsupported)
}
