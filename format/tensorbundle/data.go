package tensorbundle

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
)

// files opens data files, each once.
type files struct {
	open   OpenData
	shards int
	mu     sync.Mutex
	opened map[int]*file
}

// file is a data file. A failed open is tried again.
type file struct {
	mu   sync.Mutex
	r    io.ReaderAt
	size int64
}

func (f *files) get(shard int) (io.ReaderAt, int64, error) {
	f.mu.Lock()
	d, ok := f.opened[shard]
	if !ok {
		d = new(file)
		f.opened[shard] = d
	}
	f.mu.Unlock()

	d.mu.Lock() // of this file only: opening another need not wait
	defer d.mu.Unlock()
	if d.r == nil {
		r, size, err := f.open(shard, f.shards)
		if err != nil {
			return nil, 0, err
		}
		d.r, d.size = r, size
	}
	return d.r, d.size, nil
}

// section reads the bytes of one entry, forward, and takes their CRC.
type section struct {
	entry    *Entry
	part     string // the data file, for errors
	file     io.ReaderAt
	size     int64 // of the data file
	pos, end int64
	crc      uint32
}

// section opens the bytes of e. They lie inside the file, by the file's size:
// only now may memory be allocated for them.
func (r *Reader) section(e *Entry) (*section, error) {
	file, size, err := r.files.get(e.Shard)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	s := &section{entry: e, part: partName(e.Shard, r.files.shards), file: file, size: size, pos: e.Offset, end: e.Offset + e.Size}
	if s.end > size {
		return nil, s.corrupt("the file ends at byte %d", size)
	}
	return s, nil
}

// Read implements io.Reader. What it reads at once is hashed while it is in a
// cache of the processor.
func (s *section) Read(p []byte) (int, error) {
	left := s.end - s.pos
	if left == 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), left)]
	p = p[:evenStep(len(p))]
	n, err := s.file.ReadAt(p, s.pos)
	s.took(p[:n])
	if n == len(p) {
		return n, nil
	}
	return n, s.ended(err)
}

// took tells that these bytes are the next.
func (s *section) took(p []byte) {
	s.crc = crc32c.Update(s.crc, p)
	s.pos += int64(len(p))
}

// ended returns the error of a reading that gave fewer bytes than were asked for,
// and err.
func (s *section) ended(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return s.corrupt("the file ends at byte %d", s.pos)
	}
	return fmt.Errorf("%s in %s at byte %d: %w", s.entry.Name, s.part, s.pos, err)
}

// done compares the CRC with the index's. All bytes must have been read.
func (s *section) done(crc uint32) error {
	if want := crc32c.Unmask(s.entry.CRC32C); crc != want {
		return s.corrupt("crc32c is %08x, index says %08x", crc, want)
	}
	return nil
}

func (s *section) corrupt(reason string, args ...any) error {
	return &format.CorruptError{
		Part:   s.part,
		Tensor: s.entry.Name,
		Offset: s.entry.Offset,
		Length: s.entry.Size,
		Reason: fmt.Sprintf(reason, args...),
	}
}
