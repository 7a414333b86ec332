package tfevents

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
)

// Read yields the events of a file in its order. An error is the last it
// yields: damage is a *format.CorruptError, and a record that is not complete,
// as the last of a file that is being written may be, wraps
// io.ErrUnexpectedEOF. (TensorFlow: tf.compat.v1.train.summary_iterator)
func Read(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		records := &reader{r: bufio.NewReader(r)}
		for {
			e, err := records.next()
			if err == io.EOF {
				return
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// reader takes records off the front of a file.
type reader struct {
	r   *bufio.Reader
	off int64 // of the next record
}

// The frame of a record (tsl/lib/io/record_writer.h).
const (
	headSize = 8 + 4 // length and its checksum
	tailSize = 4     // checksum of the data
	// trusted is how much memory a length is given before its bytes are seen.
	trusted = 64 << 10
)

// next returns the next event; io.EOF where the file ends between two records.
func (r *reader) next() (Event, error) {
	data, err := r.record()
	if err != nil {
		return Event{}, err
	}
	var m tfproto.Event
	if err := m.Unmarshal(data); err != nil {
		return Event{}, r.corrupt(int64(len(data)), err.Error())
	}
	e := Event{Time: timeOf(m.WallTime), Step: m.Step, FileVersion: m.FileVersion, Writer: m.Writer}
	var values decoder
	for _, p := range m.Values {
		v, err := values.value(p)
		if err != nil {
			return Event{}, r.corrupt(int64(len(data)), fmt.Sprintf("%q: %v", p.Tag, err))
		}
		e.Values = append(e.Values, v)
	}
	r.off += headSize + int64(len(data)) + tailSize
	return e, nil
}

// record returns the data of the next record, its checksums verified.
func (r *reader) record() ([]byte, error) {
	var head [headSize]byte
	if n, err := io.ReadFull(r.r, head[:]); err != nil {
		if n == 0 {
			return nil, err // io.EOF, or what the place says
		}
		return nil, r.cut(err)
	}
	length := binary.LittleEndian.Uint64(head[:])
	if err := r.check("length", head[:8], head[8:]); err != nil {
		return nil, err
	}
	if length > 1<<62 {
		return nil, r.corrupt(0, fmt.Sprintf("record of %d bytes", length))
	}
	var b bytes.Buffer // grows with what is really there
	b.Grow(int(min(length+tailSize, trusted)) + bytes.MinRead)
	if _, err := io.CopyN(&b, r.r, int64(length)+tailSize); err != nil {
		return nil, r.cut(err)
	}
	data, sum := b.Bytes()[:length], b.Bytes()[length:]
	return data, r.check("data", data, sum)
}

func (r *reader) check(what string, data, sum []byte) error {
	stored := crc32c.Unmask(binary.LittleEndian.Uint32(sum))
	if got := crc32c.Update(0, data); got != stored {
		return r.corrupt(int64(len(data)), fmt.Sprintf("crc32c of the %s is %08x, the record says %08x", what, got, stored))
	}
	return nil
}

func (r *reader) corrupt(length int64, reason string) error {
	return &format.CorruptError{Part: "record", Offset: r.off, Length: length, Reason: reason}
}

// cut says that the file ends inside a record; other errors are the place's.
func (r *reader) cut(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("record at byte %d: %w", r.off, err)
}
