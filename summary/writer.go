// Package summary writes what TensorBoard shows: scalars and texts by tag and
// step, in event files of a directory. Checkpoints adds what saves cost.
package summary

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/storage"
)

// Options change how a Writer works. Nil and zero values are the defaults.
type Options struct {
	// MaxQueue is how many events wait for a flush at most; 0 means 10. Where
	// files do not grow it is not asked, or each ten events would be a file.
	// (TensorFlow: max_queue)
	MaxQueue int
	// FlushEvery is how long events wait at most for a flush, as seen by the
	// next event; 0 means two minutes. (TensorFlow: flush_millis)
	FlushEvery time.Duration
	// Suffix ends the names of the files, after a dot; "" means ".v2".
	// (TensorFlow: filename_suffix)
	Suffix string
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// maxWaiting bounds the bytes that wait for a flush, or for a place that has
// failed to work again.
const maxWaiting = 1 << 20

// Writer writes event files. Its methods may be called by several goroutines.
// (TensorFlow: tf.summary.SummaryWriter)
type Writer struct {
	o     Options
	files files

	mu      sync.Mutex // guards what follows and files
	waiting []byte     // records
	ends    []int      // of each of them
	flushed time.Time
	closed  bool
}

// CreateFileWriter returns a Writer of new event files in dir. Where the place
// lets files grow (storage.Appender) it makes one now and appends to it, so
// that TensorBoard can follow; elsewhere each flush publishes a numbered file.
// ctx ends the writing as a whole. (TensorFlow: tf.summary.create_file_writer)
func CreateFileWriter(ctx context.Context, dir storage.Dir, o *Options) (*Writer, error) {
	w := &Writer{}
	if o != nil {
		w.o = *o
	}
	if w.o.MaxQueue < 0 || w.o.FlushEvery < 0 {
		return nil, errors.New("summary options: MaxQueue and FlushEvery must not be negative")
	}
	w.o.MaxQueue = cmp.Or(w.o.MaxQueue, 10)
	w.o.FlushEvery = cmp.Or(w.o.FlushEvery, 2*time.Minute)
	w.o.Suffix = "." + strings.TrimPrefix(cmp.Or(w.o.Suffix, ".v2"), ".")
	if w.o.Now == nil {
		w.o.Now = time.Now
	}
	w.flushed = w.o.Now()
	w.files = files{ctx: ctx, dir: dir, suffix: w.o.Suffix}
	if err := w.files.begin(w.flushed); err != nil {
		return nil, fmt.Errorf("create summary writer: %w", err)
	}
	return w, nil
}

// Scalar adds a point to the curve name. The value is kept as a float32.
// (TensorFlow: tf.summary.scalar)
func (w *Writer) Scalar(name string, step int64, value float64) error {
	return w.Write(step, tfevents.Scalar(name, value))
}

// Text adds a text, which TensorBoard shows as Markdown.
// (TensorFlow: tf.summary.text)
func (w *Writer) Text(name string, step int64, markdown string) error {
	return w.Write(step, tfevents.Text(name, markdown))
}

// Write adds one event with values. It returns the error of the flush that was
// due, if one was; the event waits for the next then.
// (TensorFlow: tf.summary.write)
func (w *Writer) Write(step int64, values ...tfevents.Value) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	now := w.o.Now()
	all, err := tfevents.Append(w.waiting, tfevents.Event{Time: now, Step: step, Values: values})
	if err != nil {
		return fmt.Errorf("summary: %w", err)
	}
	w.waiting, w.ends = all, append(w.ends, len(all))
	if !w.due(now) {
		return nil
	}
	return w.flush(now)
}

// due asks as TensorFlow does (summary_file_writer.cc, WriteEvent).
func (w *Writer) due(now time.Time) bool {
	return w.files.grow && len(w.ends) > w.o.MaxQueue || len(w.waiting) > maxWaiting || now.Sub(w.flushed) > w.o.FlushEvery
}

// Flush lets others see all events so far. Close makes them durable too; where
// files do not grow, Flush does. What cannot be written waits for the next
// flush, a MiB of it at most. (TensorFlow: tf.summary.SummaryWriter.flush)
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return errClosed
	}
	return w.flush(w.o.Now())
}

func (w *Writer) flush(now time.Time) error {
	w.flushed = now
	if len(w.ends) == 0 {
		return nil
	}
	n, err := w.files.write(w.waiting, now)
	w.drop(n)
	if err == nil {
		return nil
	}
	if len(w.waiting) > maxWaiting {
		lost := len(w.ends)
		w.drop(len(w.waiting))
		return fmt.Errorf("summary: %d events are lost: %w", lost, err)
	}
	return fmt.Errorf("summary: %w", err)
}

// drop forgets the records that end in the first n bytes.
func (w *Writer) drop(n int) {
	i, cut := 0, 0
	for i < len(w.ends) && w.ends[i] <= n {
		cut = w.ends[i]
		i++
	}
	w.waiting = append(w.waiting[:0], w.waiting[cut:]...)
	w.ends = append(w.ends[:0], w.ends[i:]...)
	for i := range w.ends {
		w.ends[i] -= cut
	}
}

// Close flushes, makes the files durable and ends the writing. A second Close
// does nothing. (TensorFlow: tf.summary.SummaryWriter.close)
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	err := w.flush(w.o.Now())
	if closed := w.files.end(); err == nil && closed != nil {
		err = fmt.Errorf("summary: %w", closed)
	}
	return err
}

var errClosed = fmt.Errorf("summary writer: %w", fs.ErrClosed)
