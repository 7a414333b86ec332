package tensorbundle

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/table"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/tensor"
)

// OpenData opens data file number shard of shards for a Reader and returns it
// and its size. The caller closes it, when the Reader is no longer in use.
type OpenData = func(shard, shards int) (io.ReaderAt, int64, error)

// Reader reads a bundle. It is a format.Source, safe for use by several
// goroutines. (TensorFlow: BundleReader)
type Reader struct {
	table   *table.Reader
	header  tfproto.BundleHeader
	entries map[string]*stored
	names   func() []string
	files   files
}

var _ format.Source = (*Reader)(nil)

// stored is a tensor as the index describes it.
type stored struct {
	Entry
	parts   []*stored      // of a partitioned tensor, which has no bytes itself
	regions []tensor.Slice // of the parts, resolved
	part    bool           // a slice: found through its whole, not by name
}

// NewReader reads the index, which is the first size bytes of index. Data
// files are opened when a tensor in them is first read, each once.
//
// Damage to the index is a *format.CorruptError of the part "index". A V1
// checkpoint, or one for a newer TensorFlow, is format.ErrUnsupported.
func NewReader(index io.ReaderAt, size int64, data OpenData) (*Reader, error) {
	return newReader(index, size, data, func(r *Reader) error { return r.load(size) })
}

// NewReaderOf is NewReader for some of the tensors: to its Reader there are no
// others. Of the index it reads only the blocks in which they are described,
// so that one tensor of 100,000 costs the time of one; damage elsewhere is for
// NewReader to find. A name that is not there is no error.
func NewReaderOf(index io.ReaderAt, size int64, data OpenData, names ...string) (*Reader, error) {
	return newReader(index, size, data, func(r *Reader) error { return r.loadOf(size, names) })
}

func newReader(index io.ReaderAt, size int64, data OpenData, load func(*Reader) error) (*Reader, error) {
	t, err := table.NewReader(index, size, indexPart)
	if err != nil {
		return nil, err
	}
	r := &Reader{table: t}
	if err := load(r); err != nil {
		return nil, err
	}
	r.files = files{open: data, shards: int(r.header.NumShards), opened: map[int]*file{}}
	r.names = sync.OnceValue(r.sortedNames)
	return r, nil
}

// Names returns the tensors' names in file order: by data file, and by their
// place there. A partitioned tensor stands once, at the place of its first slice.
func (r *Reader) Names() []string { return slices.Clone(r.names()) }

func (r *Reader) sortedNames() []string {
	order := make([]start, 0, len(r.entries))
	for _, s := range r.entries {
		if !s.part {
			order = append(order, startOf(s.first(), s.Name))
		}
	}
	slices.SortFunc(order, start.compare)
	names := make([]string, len(order))
	for i, p := range order {
		names[i] = p.name
	}
	return names
}

// start is where a tensor's bytes begin, without the rest of the entry: a sort
// then has what it compares at hand.
type start struct {
	shard        int
	offset, size int64
	name         string
}

func startOf(e *Entry, name string) start { return start{e.Shard, e.Offset, e.Size, name} }

// compare sorts by file order. A tensor without bytes shares its offset with
// the next.
func (p start) compare(q start) int {
	switch {
	case p.shard != q.shard:
		return cmp.Compare(p.shard, q.shard)
	case p.offset != q.offset:
		return cmp.Compare(p.offset, q.offset)
	case p.size != q.size:
		return cmp.Compare(p.size, q.size)
	}
	return cmp.Compare(p.name, q.name)
}

// first returns the entry of a tensor's first bytes.
func (s *stored) first() *Entry {
	first := &s.Entry
	for i, p := range s.parts {
		if i == 0 || startOf(&p.Entry, "").compare(startOf(first, "")) < 0 {
			first = &p.Entry
		}
	}
	return first
}

// Info returns dtype and shape of the tensor name. The dtype may be one that
// this package cannot read.
func (r *Reader) Info(name string) (format.Info, error) {
	s, err := r.find(name)
	if err != nil {
		return format.Info{}, err
	}
	return format.Info{DType: s.DType, Shape: slices.Clone(s.Shape)}, nil
}

// Entry returns where the tensor name lies. Of a partitioned tensor, Size is
// that of all its slices, Shard is what the index says, and the rest is zero;
// see Slices.
func (r *Reader) Entry(name string) (Entry, error) {
	s, err := r.find(name)
	if err != nil {
		return Entry{}, err
	}
	return s.Entry, nil
}

// Slices returns where the slices of a partitioned tensor lie, in the order in
// which they were added; none for other tensors.
func (r *Reader) Slices(name string) ([]Entry, error) {
	s, err := r.find(name)
	if err != nil {
		return nil, err
	}
	var parts []Entry
	for _, p := range s.parts {
		parts = append(parts, p.Entry)
	}
	return parts, nil
}

// Shards returns the number of data files.
func (r *Reader) Shards() int { return r.files.shards }

func (r *Reader) find(name string) (*stored, error) {
	if s, ok := r.entries[name]; ok && !s.part {
		return s, nil
	}
	return nil, fmt.Errorf("%s: %w", name, format.ErrNoTensor)
}
