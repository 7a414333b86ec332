package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

const (
	receiptSchema = 2
	// maxReceipt bounds what is read of a receipt. Ours are below 1 KiB
	// without metrics.
	maxReceipt = 16 << 20
)

// Who wrote a checkpoint, as Receipt.Writer tells it. A manager removes and
// adopts only what a manager wrote.
const (
	WriterManager = "manager" // Manager.Save
	WriterSave    = "save"    // Checkpoint.Save
	WriterWrite   = "write"   // Checkpoint.Write
)

// Receipt is what TensorFlow's files have no room for. It lies beside the
// checkpoint as JSON, <path>.receipt.json, and is written before the index. A
// checkpoint without one is still a checkpoint, and TensorFlow ignores it.
//
// Fields of the file that this version does not know are kept when a receipt
// is written again. The file ends with a checksum of itself; who edits one by
// hand deletes that line and makes the schema 1. One that is damaged says
// nothing: its checkpoint is restored as one without, and stays for good, since
// it may have been pinned.
type Receipt struct {
	Schema      int
	Path        string // of the checkpoint when it was written
	SaveCounter int64
	Step        *int64 // nil: not told
	Epoch       *int64 // nil: not told
	Time        time.Time
	Duration    time.Duration // of the writing
	Files       []ReceiptFile // data files and index
	Parity      []ReceiptFile // of these, with Options.Parity
	Metrics     map[string]float64
	Host        string
	PID         int
	Writer      string // WriterManager, WriterSave or WriterWrite
	// After is the checkpoint of the same name that was the latest when this
	// one was saved, "" if it was the first; nil: not told. Where no index is
	// left it tells a first save that was cut short from a loss.
	After *string
	Token int64  // of the writer's lease, 0 where it was a lock; of two writers the later has the higher
	Kept  string // why it was preserved when it left the manager's list; "" if it was not
	// Retained is why a manager keeps it though it does not list it, where a
	// TensorFlow manager would remove it; "" if it lists it, or never judged
	// it. Unlike what is kept for good it is judged again at every save.
	Retained string
	// Pinned is why no rule may remove it, "" if one may.
	Pinned string
	// Rejected is why a restore passed over it: its validation failed.
	Rejected string
	Tags     []string // what people call it
	// Run and RestoredFrom are where it comes from: the experiment's run, and
	// the checkpoint, path or "run/path", that the run went on from.
	Run, RestoredFrom string
	Commit            string // of the program's source, by its version control
	Dirty             bool   // the source had changes that were not committed
	// Rebuilt is why the receipt is not the one that was written with the
	// checkpoint, as package doctor says it; "" if it is.
	Rebuilt string

	unknown map[string]json.RawMessage
}

// ReceiptFile is one file of a checkpoint as it was written.
type ReceiptFile struct {
	Name   string // relative to the checkpoint's own directory
	Size   int64
	CRC32C uint32 // of the whole file, not masked
	// Linked is the name under which an earlier save wrote it, if this one only
	// gave it a second name; "" if this one wrote it.
	Linked string
}

// ReceiptName returns the name of the receipt of the checkpoint path.
func ReceiptName(path string) string { return filename.OfReceipt(path) }

// ReadReceipt reads the receipt of the checkpoint path. A missing one is an
// error that wraps fs.ErrNotExist, one that holds something else, or whose
// checksum is not that of what it holds, format.ErrCorrupt.
func ReadReceipt(ctx context.Context, dir storage.Dir, path string) (Receipt, error) {
	name := ReceiptName(path)
	data, err := readBounded(ctx, dir, name, maxReceipt)
	if err != nil {
		return Receipt{}, err
	}
	return parseReceipt(name, data)
}

// WriteReceipt gives the checkpoint path of dir the receipt r, with the
// checksum that belongs to it, durably and in place of the one it may have. It
// takes no lock and asks nothing: it is for who mends a directory. Pin, Tag and
// Reject change single marks.
func WriteReceipt(ctx context.Context, dir storage.Dir, path string, r Receipt) error {
	text, err := r.text()
	if err != nil {
		return err
	}
	return storage.WriteFile(ctx, dir, ReceiptName(path), text)
}

// writeReceiptSoon is WriteReceipt for what can be found out again.
func writeReceiptSoon(ctx context.Context, dir storage.Dir, path string, r Receipt) error {
	text, err := r.text()
	if err != nil {
		return err
	}
	return storage.WriteFileSoon(ctx, dir, ReceiptName(path), text)
}

// firstRead is what readBounded takes on trust from a file's size: a receipt is
// read at once.
const firstRead = 16 << 10

// readBounded reads a small file whose size somebody else decided.
func readBounded(ctx context.Context, dir storage.Dir, name string, limit int64) ([]byte, error) {
	f, err := dir.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if f.Size() > limit {
		err = flawed(name, "file has %d bytes, at most %d are read", f.Size(), limit)
		return nil, closing(f, err)
	}
	var b bytes.Buffer
	b.Grow(int(min(f.Size(), firstRead)) + bytes.MinRead) // MinRead: ReadFrom grows again without it
	_, err = b.ReadFrom(io.NewSectionReader(f, 0, f.Size()))
	if err = closing(f, err); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// closing closes c and returns err or else what that returned.
func closing(c io.Closer, err error) error {
	if closed := c.Close(); err == nil {
		return closed
	}
	return err
}

// alsoFailed returns err, and with it what failed in its wake, if anything.
func alsoFailed(err, wake error) error {
	if wake == nil {
		return err
	}
	return errors.Join(err, wake)
}

// file returns what the receipt says about the file name.
func (r Receipt) file(name string) (ReceiptFile, bool) {
	i := slices.IndexFunc(r.Files, func(f ReceiptFile) bool { return f.Name == name })
	if i < 0 {
		return ReceiptFile{}, false
	}
	return r.Files[i], true
}
