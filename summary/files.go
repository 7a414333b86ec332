package summary

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/storage"
)

// files are the event files of one Writer, one after the other. A file that
// could not be written to is given up: what its end looks like is not known,
// and TensorBoard reads the next one after it.
type files struct {
	ctx    context.Context
	dir    storage.Dir
	suffix string
	grow   bool            // the place lets files grow
	file   storage.Growing // nil: the next write begins one
	number int             // of the next file
}

// name returns the name of the next file, which must sort after the one
// before: TensorBoard does not go back. TensorFlow writes the number without
// zeros (summary_file_writer.cc, CreateSummaryFileWriter).
func (f *files) name(start time.Time) string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost" // a host without a name is no reason not to write
	}
	return fmt.Sprintf("%s.%d.%05d%s", tfevents.Filename(start, host), os.Getpid(), f.number, f.suffix)
}

// begin makes a file, where files grow.
func (f *files) begin(now time.Time) error {
	for {
		g, err := storage.Append(f.ctx, f.dir, f.name(now))
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			f.grow = false
			return nil
		case errors.Is(err, fs.ErrExist): // another writer of this process
			f.number++
			continue
		case err != nil:
			return err
		}
		f.grow, f.file = true, g
		f.number++
		_, err = g.Write(opening(now))
		return f.giveUp(err)
	}
}

// opening is the first record of a file.
func opening(now time.Time) []byte {
	// It fails for tensors only, of which there is none.
	record, _ := tfevents.Append(nil, tfevents.Begin(now))
	return record
}

// write writes records and returns how much of them is written.
func (f *files) write(records []byte, now time.Time) (int, error) {
	if f.file == nil && f.grow {
		if err := f.begin(now); err != nil {
			return 0, err
		}
	}
	if f.file == nil {
		return f.publish(records, now)
	}
	n, err := f.file.Write(records)
	return n, f.giveUp(err)
}

// giveUp ends the file after err.
func (f *files) giveUp(err error) error {
	if err == nil {
		return nil
	}
	// It repeats the error of the file, or has one in its wake.
	_ = f.file.Close()
	f.file = nil
	return err
}

// publish writes records as one file.
func (f *files) publish(records []byte, now time.Time) (int, error) {
	name, err := f.free(now)
	if err != nil {
		return 0, err
	}
	if err := storage.WriteFile(f.ctx, f.dir, name, append(opening(now), records...)); err != nil {
		return 0, err
	}
	f.number++
	return len(records), nil
}

// free returns the next name that no other writer of this process has taken.
func (f *files) free(now time.Time) (string, error) {
	for ; ; f.number++ {
		name := f.name(now)
		file, err := f.dir.Open(f.ctx, name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		if err := file.Close(); err != nil {
			return "", err
		}
	}
}

// end makes the open file durable and closes it.
func (f *files) end() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
