package parity

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/klauspost/reedsolomon"

	"github.com/ckpt-dev/ckpt/format"
)

// File is a file to read, and how long it is now.
type File struct {
	io.ReaderAt
	Size int64
}

// Want is what somebody else than the parity knows about the data, a receipt
// for one: a parity file without its end needs that.
type Want struct {
	Size   int64
	CRC32C uint32
}

// Block is a block of the data that is not what it was.
type Block struct {
	Offset, Length int64
	Lost           bool // it cannot be made again
}

// maxBad bounds how many bad blocks a Report names.
const maxBad = 1000

// Report is what became of the data.
type Report struct {
	Size      int64   // of the data as it was
	CRC32C    uint32  // of the data as it was
	Blocks    int64   // of the data as it was
	Bad       []Block // the first of them, in order
	Repaired  int64   // bad blocks made again
	Lost      int64   // bad blocks that cannot be
	Unchecked int64   // blocks whose checksums are damaged themselves
	Extra     int64   // bytes that follow the data, and were left out
	Result    uint32  // CRC-32C of what was written out, which has Size bytes
}

// Whole reports whether what was written out is the data as it was.
func (r *Report) Whole() bool { return r.Lost == 0 && r.Result == r.CRC32C }

// Check finds bad blocks, and which of them could be made again.
func Check(data, parity File, want *Want) (Report, error) {
	return Repair(data, parity, want, io.Discard)
}

// Repair writes the data to out as it was, as far as that can be done: bad
// blocks are made again if the stripe's others are good, and else are as they
// are, or zero past the end of data. The Report tells; only a Whole one makes
// out worth anything. A parity file that is of no use is an error that wraps
// format.ErrCorrupt or format.ErrUnsupported. A sector that the disk cannot
// read, syscall.EIO, is a bad block; any other failure to read ends it.
func Repair(data, parity File, want *Want, out io.Writer) (Report, error) {
	r := &repairer{data: data, parity: parity, out: out}
	if err := r.open(want); err != nil {
		return r.report, err
	}
	for n := range stripes(r.report.Size, r.block) {
		s, err := r.stripe(n)
		if err != nil {
			return r.report, err
		}
		s.count()
		if err := s.write(); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

// repairer is one call of Repair, or what a Reader has of it.
type repairer struct {
	data, parity File
	out          io.Writer
	block        int64
	code         reedsolomon.Encoder
	buffer       []byte // of a stripe's blocks
	head         [stripeHead]byte
	report       Report
}

// open reads header and footer. Each has enough to do without the other; what
// the footer knows besides, want does too.
func (r *repairer) open(want *Want) error {
	header, footer := make([]byte, headerSize), make([]byte, footerSize)
	block, ok, err := r.ends(header, headerMagic, 0)
	if err != nil {
		return err
	}
	fromEnd, ended, err := r.ends(footer, footerMagic, r.parity.Size-footerSize)
	if err != nil {
		return err
	}
	switch {
	case ended:
		block = fromEnd
		r.report.Size, r.report.CRC32C = int64(little.Uint64(footer[16:])), little.Uint32(footer[24:])
	case ok && want != nil:
		r.report.Size, r.report.CRC32C = want.Size, want.CRC32C
	default:
		return corrupt("header and footer are damaged")
	}
	if ended && fileSize(r.report.Size, block) != r.parity.Size {
		return corrupt("%d bytes of it cannot be of %d bytes of data", r.parity.Size, r.report.Size)
	}
	r.block = block
	if err := r.fits(want); err != nil {
		return err
	}
	r.report.Blocks = (r.report.Size + block - 1) / block
	r.report.Extra = max(0, r.data.Size-r.report.Size)
	r.code, err = newCode()
	return err
}

// fits refuses parity of something else, and sizes that nothing backs.
func (r *repairer) fits(want *Want) error {
	size := r.report.Size
	if want != nil && (size != want.Size || r.report.CRC32C != want.CRC32C) {
		return corrupt("it is of %d bytes with crc32c %08x, and not of these %d bytes with crc32c %08x", size, r.report.CRC32C, want.Size, want.CRC32C)
	}
	// Parity takes an eighth of the data: without its end, too, for the most part.
	if size < 0 || size/DataBlocks > r.parity.Size+r.block {
		return corrupt("%d bytes of it are too few for %d bytes of data", r.parity.Size, size)
	}
	return nil
}

// ends reads header or footer.
func (r *repairer) ends(b []byte, magic string, at int64) (block int64, ok bool, err error) {
	if at < 0 {
		return 0, false, nil
	}
	n, err := readFull(r.parity, b, at)
	if err != nil || n < len(b) {
		return 0, false, err
	}
	return checkGeometry(b, magic)
}

func corrupt(reason string, args ...any) error {
	return fmt.Errorf("parity: %s: %w", fmt.Sprintf(reason, args...), format.ErrCorrupt)
}

// readFull reads b at an offset, and returns how much of it there is. What the
// disk cannot read is as good as not there.
func readFull(f File, b []byte, at int64) (int, error) {
	left := max(0, f.Size-at)
	n, err := f.ReadAt(b[:min(int64(len(b)), left)], at)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EIO) {
		err = nil
	}
	return n, err
}
