package tensorbundle

import (
	"fmt"
	"math"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/tfproto"
	"github.com/ckpt-dev/ckpt/internal/tiling"
	"github.com/ckpt-dev/ckpt/tensor"
)

// Tensor reads the tensor name, whole or put together from its slices, and
// verifies its checksums. (TensorFlow: Lookup)
func (r *Reader) Tensor(name string) (tensor.Tensor, error) {
	s, err := r.find(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	return r.region(s, tensor.Whole(s.Shape))
}

// Slice reads a region of the tensor name, whether or not it was stored in
// slices, and verifies the checksums of all that it reads. Memory is allocated
// for the region only. (TensorFlow: LookupSlice)
func (r *Reader) Slice(name string, part tensor.Slice) (tensor.Tensor, error) {
	s, err := r.find(name)
	if err != nil {
		return tensor.Tensor{}, err
	}
	want, err := part.Resolve(s.Shape)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", name, err)
	}
	return r.region(s, want)
}

// ReadInto reads the tensor name, whose elements must have a fixed size, into
// dst, which must have exactly the tensor's bytes. After an error, dst's
// content is undefined.
func (r *Reader) ReadInto(name string, dst []byte) error {
	s, err := r.find(name)
	if err != nil {
		return err
	}
	want := tensor.Whole(s.Shape)
	pieces, err := r.pieces(s, want)
	if err != nil {
		return err
	}
	if err := s.fits(dst); err != nil {
		return err
	}
	return r.fill(s.DType, pieces, want, dst)
}

// Verify reads the tensor name and checks its checksums without keeping it.
// A partitioned tensor must be complete.
func (r *Reader) Verify(name string) error { return r.Scan(name, nil) }

// Scan is Verify that shows what it reads, before it knows whether that is
// damaged: visit, if not nil, gets elements of a fixed size, little-endian, a
// piece at a time, and the stored region, the whole or a slice, of which they are
// the elements from first on. Strings and variants are decoded, and not shown.
// The piece is visit's until it returns.
func (r *Reader) Scan(name string, visit func(region tensor.Slice, first int64, elems []byte)) error {
	s, err := r.find(name)
	if err != nil {
		return err
	}
	pieces, err := r.pieces(s, tensor.Whole(s.Shape))
	if err != nil {
		return err
	}
	for _, p := range pieces {
		if err := r.scan(p, visit); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) scan(p piece, visit func(region tensor.Slice, first int64, elems []byte)) error {
	d := p.entry.DType
	if framed(d) {
		return r.elements(p, tensor.Slice{}, nil)
	}
	if visit == nil {
		return p.readAll(func(_ int64, part *section) error { return part.discard() })
	}
	buf := make([]byte, min(p.entry.Size, pieceSize)) // whole elements: all sizes are powers of two
	for p.pos < p.end {
		at := p.pos - p.entry.Offset
		n, err := p.Read(buf)
		if err != nil {
			return err
		}
		if r.bigEndian() {
			tensor.SwapBytes(d, buf[:n])
		}
		visit(p.region, at/int64(d.Size()), buf[:n])
	}
	return p.done(p.crc)
}

// piece is a stored region, ready to be read.
type piece struct {
	*section
	region tensor.Slice
}

// pieces returns the stored regions of which want can be made, open: their
// bytes exist, so memory for as many may be allocated.
func (r *Reader) pieces(s *stored, want tensor.Slice) ([]piece, error) {
	if !s.DType.Valid() {
		return nil, fmt.Errorf("%s: dtype %v: %w", s.Name, s.DType, format.ErrUnsupported)
	}
	if s.DType == tensor.Variant && r.bigEndian() {
		return nil, fmt.Errorf("%s: big-endian variants: %w", s.Name, format.ErrUnsupported)
	}
	if s.parts == nil {
		section, err := r.section(&s.Entry)
		return []piece{{section, tensor.Whole(s.Shape)}}, err
	}
	needed, err := tiling.Cover(s.regions, want)
	if err != nil {
		return nil, &format.CorruptError{Part: indexPart, Tensor: s.Name, Reason: err.Error()}
	}
	var pieces []piece
	taken := make(map[int]int64) // bytes, by data file
	for _, i := range needed {
		e := &s.parts[i].Entry
		section, err := r.section(e)
		if err != nil {
			return nil, err
		}
		// Else the slices lie on the same bytes, and a small file claims much.
		if taken[e.Shard] += e.Size; taken[e.Shard] > section.size {
			return nil, section.corrupt("the slices have %d bytes and more, the file %d", taken[e.Shard], section.size)
		}
		pieces = append(pieces, piece{section, s.regions[i]})
	}
	return pieces, nil
}

func (r *Reader) bigEndian() bool { return r.header.Endianness == tfproto.Big }

// region reads a resolved region of a tensor.
func (r *Reader) region(s *stored, want tensor.Slice) (tensor.Tensor, error) {
	pieces, err := r.pieces(s, want)
	if err != nil {
		return tensor.Tensor{}, err
	}
	n, err := want.Shape().NumElements()
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := fitsMemory(s, pieces, n); err != nil {
		return tensor.Tensor{}, err
	}
	if framed(s.DType) {
		return r.framedRegion(s, pieces, want, n)
	}
	data := make([]byte, n*int64(s.DType.Size()))
	if err := r.fill(s.DType, pieces, want, data); err != nil {
		return tensor.Tensor{}, err
	}
	return tensor.FromBytes(s.DType, want.Shape(), data)
}

// maxMemory is what one allocation may have. Beyond the address space, a file's
// size vouches for nothing: files have holes.
const maxMemory = min(math.MaxInt, 1<<47)

// stringHeader is what an element takes besides its bytes.
const stringHeader = 16

// fitsMemory refuses n elements that no memory holds, or not this machine's.
func fitsMemory(s *stored, pieces []piece, n int64) error {
	elem, most := int64(s.DType.Size()), int64(0)
	if framed(s.DType) {
		elem = stringHeader
		for _, p := range pieces {
			most = max(most, p.entry.Size)
		}
	}
	if n > maxMemory/elem || most > maxMemory {
		return fmt.Errorf("%s: %v %v is more than memory can be: %w", s.Name, s.DType, s.Shape, format.ErrUnsupported)
	}
	return nil
}

func (r *Reader) framedRegion(s *stored, pieces []piece, want tensor.Slice, n int64) (tensor.Tensor, error) {
	elems := make([]string, n)
	for _, p := range pieces {
		if err := r.elements(p, want, elems); err != nil {
			return tensor.Tensor{}, err
		}
	}
	if s.DType == tensor.Variant {
		return tensor.FromVariants(want.Shape(), elems)
	}
	return tensor.FromStrings(want.Shape(), elems)
}
