package tensorbundle

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/orderedcode"
	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// partitioned is a tensor whose slices are to be found.
type partitioned struct {
	*stored
	list []tfproto.TensorSlice
	at   table.Handle
}

// An index is kept in memory, and a compressed one can hold entries that take
// a thousand times the bytes they have in the file. TensorFlow does not compress
// indexes, and what does for it gains a factor of ten at most; so memory is
// bounded by the bytes of the file, with room for what is small anyway.
const (
	entryMemory       = 320 // of a tensor without a name and dimensions
	memoryPerByte     = 24  // of a value: a slice of two bytes takes 48
	memoryPerFileByte = 100
	firstBudget       = 16 << 20
)

// load reads the whole index. What it accepts holds from then on: shapes are
// sound, sizes agree with them, slices exist and fit.
func (r *Reader) load(size int64) error {
	header := false
	l := loading{Reader: r}
	budget := firstBudget + memoryPerFileByte*size
	for e, err := range r.table.All() {
		if err == nil {
			budget -= entryMemory + int64(len(e.Key)) + memoryPerByte*int64(len(e.Value))
		}
		switch {
		case err != nil:
			return err
		case budget < 0:
			return corruptIndex("", e.Block, fmt.Errorf("an index of %d bytes has more entries than any would", size))
		case !header:
			header, err = true, r.loadHeader(e)
		default:
			err = l.entry(e)
		}
		if err != nil {
			return err
		}
	}
	if !header {
		return corruptIndex("", table.Handle{}, errors.New("no bundle header"))
	}
	return l.done()
}

// done makes the entries known, and finds the slices of those that have any.
func (l *loading) done() error {
	l.entries = make(map[string]*stored, len(l.all)) // which need not grow then
	for _, s := range l.all {
		l.entries[s.Name] = s
	}
	for _, p := range l.waiting {
		if err := l.loadParts(p); err != nil {
			return corruptIndex(p.Name, p.at, err)
		}
	}
	return nil
}

func (r *Reader) loadHeader(e table.Entry) error {
	if len(e.Key) != 0 {
		return corruptIndex("", e.Block, errors.New("no bundle header: the first key is not empty"))
	}
	if err := r.header.Unmarshal(e.Value); err != nil {
		return corruptIndex("", e.Block, err)
	}
	if r.header.NumShards == 0 && len(e.Value) > 0 && e.Value[0] == 0x0a {
		return fmt.Errorf("index: is a TensorFlow V1 checkpoint, a single file without index: %w", format.ErrUnsupported)
	}
	if r.header.NumShards <= 0 {
		return corruptIndex("", e.Block, fmt.Errorf("the bundle header says %d shards", r.header.NumShards))
	}
	if end := r.header.Endianness; end != tfproto.Little && end != tfproto.Big {
		return corruptIndex("", e.Block, fmt.Errorf("the bundle header says byte order %d", end))
	}
	if err := r.header.Version.Check(consumer, minProducer); err != nil {
		return fmt.Errorf("index: %w: %w", err, format.ErrUnsupported)
	}
	return nil
}

// loading is what load knows on its way. A large index has 100,000 entries: so
// entries and their names are allocated many at a time.
type loading struct {
	*Reader
	all     []*stored
	waiting []partitioned
	many    bool // there are more slices than are looked up one by one
	chunk   []stored
	names   strings.Builder
}

func (l *loading) entry(e table.Entry) error {
	name := l.name(e.Key)
	var p tfproto.BundleEntry
	if err := p.Unmarshal(e.Value); err != nil {
		return corruptIndex(name, e.Block, err)
	}
	s := l.next()
	// A shape of unknown rank counts as the dimensions it has, as it does for
	// TensorFlow (core/framework/tensor_shape.cc).
	s.Entry = Entry{
		Name:   name,
		DType:  tensor.DType(p.DType),
		Shape:  p.Shape.Dims,
		Shard:  int(p.ShardID),
		Offset: p.Offset,
		Size:   p.Size,
		CRC32C: p.CRC32C,
	}
	if err := l.checkEntry(s, len(p.Slices) > 0); err != nil {
		return corruptIndex(name, e.Block, err)
	}
	if len(p.Slices) > 0 {
		s.Offset, s.Size, s.CRC32C = 0, 0, 0
		l.waiting = append(l.waiting, partitioned{s, p.Slices, e.Block})
	}
	l.all = append(l.all, s)
	return nil
}

func (l *loading) next() *stored {
	if len(l.chunk) == 0 {
		l.chunk = make([]stored, 64)
	}
	s := &l.chunk[0]
	l.chunk = l.chunk[1:]
	return s
}

// name returns the key as a string, which shares its memory with others.
func (l *loading) name(key []byte) string {
	at := l.names.Len()
	if at+len(key) > l.names.Cap() {
		l.names, at = strings.Builder{}, 0
		l.names.Grow(max(16<<10, len(key)))
	}
	l.names.Write(key)
	return l.names.String()[at:]
}

func (r *Reader) checkEntry(s *stored, partitioned bool) error {
	n, err := s.Shape.NumElements()
	if err != nil {
		return fmt.Errorf("invalid tensor shape: %w", err)
	}
	if s.Shard < 0 || s.Shard >= int(r.header.NumShards) {
		return fmt.Errorf("shard %d of %d", s.Shard, r.header.NumShards)
	}
	if partitioned {
		return nil
	}
	if s.Offset < 0 || s.Size < 0 || s.Offset+s.Size < 0 {
		return fmt.Errorf("%d bytes at byte %d of the data file", s.Size, s.Offset)
	}
	return checkSize(&s.Entry, uint64(n))
}

// checkSize compares the size with what n elements take: exactly, or at least
// a byte each. Other types are listed, not read.
func checkSize(e *Entry, n uint64) error {
	hi, want := bits.Mul64(n, uint64(e.DType.Size()))
	switch {
	case hi != 0:
		return fmt.Errorf("invalid size: stored size %d, shape %v takes more", e.Size, e.Shape)
	case e.DType.Size() > 0 && want != uint64(e.Size):
		return fmt.Errorf("invalid size: stored size %d, expected size %d", e.Size, want)
	case framed(e.DType) && uint64(e.Size) < n:
		return fmt.Errorf("invalid size: stored size %d, expected size is at least %d", e.Size, n)
	}
	return nil
}

func framed(d tensor.DType) bool { return d == tensor.String || d == tensor.Variant }

// loadParts finds the slices of a partitioned tensor.
func (r *Reader) loadParts(s partitioned) error {
	for _, l := range s.list {
		slice := tensor.Slice{Start: l.Start, Length: l.Length}
		region, err := slice.Resolve(s.Shape)
		if err != nil {
			return err
		}
		p, ok := r.entries[orderedcode.SliceKey(s.Name, l.Start, l.Length)]
		switch {
		case !ok:
			return fmt.Errorf("slice %v is missing", slice)
		case p.part || p.parts != nil || p == s.stored:
			return fmt.Errorf("slice %v is there twice", slice)
		case p.DType != s.DType || !p.Shape.Equal(region.Shape()):
			return fmt.Errorf("slice %v is %v %v, expected %v %v", slice, p.DType, p.Shape, s.DType, region.Shape())
		}
		p.part, p.Name, p.Slice, p.Full = true, s.Name, &slice, s.Shape
		s.parts, s.regions = append(s.parts, p), append(s.regions, region)
		if s.Size += p.Size; s.Size < 0 {
			return errors.New("invalid size: the slices have more bytes than an int64 counts")
		}
	}
	return nil
}

func corruptIndex(name string, at table.Handle, err error) error {
	return &format.CorruptError{Part: indexPart, Tensor: name, Offset: at.Offset, Length: at.Size, Reason: err.Error()}
}
