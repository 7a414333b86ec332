package parity

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/golden"
)

// pattern returns n bytes of which no two blocks are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i/251)
	}
	return b
}

// parityOf returns the parity of data that passes in pieces.
func parityOf(t testing.TB, data []byte, block, piece int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := newWriter(&b, block)
	for chunk := range slices.Chunk(data, piece) {
		if n, err := w.Write(chunk); n != len(chunk) || err != nil {
			t.Fatalf("Write() = %d, %v", n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	size, crc := w.Written()
	if size != int64(b.Len()) || crc != sum(b.Bytes()) {
		t.Fatalf("Written() = %d, %08x, want %d, %08x", size, crc, b.Len(), sum(b.Bytes()))
	}
	if want := fileSize(int64(len(data)), int64(block)); size != want {
		t.Fatalf("parity has %d bytes, fileSize says %d", size, want)
	}
	return b.Bytes()
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func file(b []byte) File { return File{bytes.NewReader(b), int64(len(b))} }

// repaired returns what Repair writes, and makes sure that a Reader reads it.
func repaired(t testing.TB, data, parity []byte, want *Want) ([]byte, Report) {
	t.Helper()
	var out bytes.Buffer
	r, err := Repair(file(data), file(parity), want, &out)
	if err != nil {
		t.Fatalf("Repair() = %v", err)
	}
	p, err := NewReader(file(data), file(parity), want)
	if err != nil {
		t.Fatalf("NewReader() = %v", err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(p, 0, p.Size())); err != nil || !bytes.Equal(got, out.Bytes()) {
		t.Fatalf("a Reader reads %d bytes, %v, and not what Repair writes", len(got), err)
	}
	return out.Bytes(), r
}

// TestEachBadBlockIsMadeAgain damages each block of files of many sizes, by a
// flipped bit and by losing what is from it on, where that is one block.
// Proves D23.
func TestEachBadBlockIsMadeAgain(t *testing.T) {
	const block = 16
	for _, size := range []int{1, 15, 16, 17, 127, 128, 129, 143, 144, 145, 300} {
		data := pattern(size)
		parity := parityOf(t, data, block, 5)
		for at := 0; at < size; at++ {
			bad := slices.Clone(data)
			bad[at] ^= 0x10
			got, r := repaired(t, bad, parity, nil)
			want := Block{Offset: int64(at / block * block), Length: int64(min(block, size-at/block*block))}
			if !bytes.Equal(got, data) || !r.Whole() || r.Repaired != 1 || !slices.Equal(r.Bad, []Block{want}) {
				t.Errorf("%d bytes, byte %d flipped: %+v, want %v repaired", size, at, r, want)
			}
		}
		for keep := range size {
			got, r := repaired(t, data[:keep], parity, nil)
			first, last := keep/block, (size-1)/block
			can := first == last || first+1 == last && last%DataBlocks == 0 // each in its own stripe
			if can != r.Whole() || r.Whole() && !bytes.Equal(got, data) {
				t.Errorf("%d bytes, cut to %d: %+v, want whole: %v", size, keep, r, can)
			}
		}
	}
}

func TestOneBlockOfEachStripeMayBeBad(t *testing.T) {
	const block, stripes = 16, 5
	data := pattern(stripes * 8 * block)
	bad := slices.Clone(data)
	for s := range stripes {
		clear(bad[s*8*block+s*block:][:block])
	}
	got, r := repaired(t, bad, parityOf(t, data, block, 64), nil)
	if !bytes.Equal(got, data) || r.Repaired != stripes || !r.Whole() {
		t.Errorf("Repair() = %+v, want %d blocks repaired", r, stripes)
	}
}

// TestTwoBadBlocksOfAStripeAreSaidToBeLost. Proves D23.
func TestTwoBadBlocksOfAStripeAreSaidToBeLost(t *testing.T) {
	const block = 16
	data := pattern(3 * 8 * block)
	parity := parityOf(t, data, block, 64)
	bad := slices.Clone(data)
	bad[0] ^= 1 // another stripe, which can be mended
	bad[8*block+2*block] ^= 1
	bad[8*block+5*block] ^= 1
	got, r := repaired(t, bad, parity, nil)
	if r.Whole() || r.Lost != 2 || r.Repaired != 1 || len(r.Bad) != 3 || !r.Bad[1].Lost || r.Bad[1].Offset != 10*block {
		t.Errorf("Repair() = %+v, want one repaired and two lost", r)
	}
	if !bytes.Equal(got[8*block:], bad[8*block:]) {
		t.Errorf("lost blocks were changed")
	}
	checked, err := Check(file(bad), file(parity), nil)
	if err != nil || checked.Lost != 2 || checked.Repaired != 1 {
		t.Errorf("Check() = %+v, %v, want as Repair", checked, err)
	}
}

// TestDamagedParityMakesNothingWorse flips every byte of the parity: what is
// good stays as it is, and a bad block is made again or said to be lost.
// Proves D23.
func TestDamagedParityMakesNothingWorse(t *testing.T) {
	const block = 16
	data := pattern(2*8*block + 3)
	parity := parityOf(t, data, block, 64)
	want := &Want{Size: int64(len(data)), CRC32C: sum(data)}
	lost := 0
	for at := range parity {
		hurt := slices.Clone(parity)
		hurt[at] ^= 0x40
		if got, r := repaired(t, data, hurt, want); !bytes.Equal(got, data) || !r.Whole() || r.Lost+r.Repaired != 0 {
			t.Errorf("byte %d of the parity flipped: good data is %+v", at, r)
		}
		bad := slices.Clone(data)
		bad[8*block] ^= 1
		got, r := repaired(t, bad, hurt, want)
		if r.Whole() != bytes.Equal(got, data) {
			t.Errorf("byte %d of the parity flipped: whole is %v, and that is wrong", at, r.Whole())
		}
		if !r.Whole() {
			lost++
		}
	}
	if most := stripeHead + block; lost != most {
		t.Errorf("%d flips cost the bad block, want the %d bytes of its own stripe", lost, most)
	}
}

func TestParityCutShortStillHelpsWithWhatIsThere(t *testing.T) {
	const block = 16
	data := pattern(3 * 8 * block)
	parity := parityOf(t, data, block, 64)
	bad := slices.Clone(data)
	bad[8*block+1] ^= 1
	for keep := range parity {
		var out bytes.Buffer
		r, err := Repair(file(bad), file(parity[:keep]), &Want{int64(len(data)), sum(data)}, &out)
		there := keep >= headerSize+2*(stripeHead+block)
		if err == nil && r.Whole() != there || err != nil && (there || !errors.Is(err, format.ErrCorrupt)) {
			t.Errorf("parity cut to %d: %+v, %v, want whole: %v", keep, r, err, there)
		}
		if _, err := Repair(file(bad), file(parity[:keep]), nil, io.Discard); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("parity cut to %d, without a receipt: %v, want ErrCorrupt", keep, err)
		}
	}
}

func TestParityOfSomethingElseIsRefused(t *testing.T) {
	data := pattern(100)
	parity := parityOf(t, data, 16, 7)
	for _, want := range []Want{{99, sum(data)}, {100, sum(data) + 1}} {
		if _, err := Check(file(data), file(parity), &want); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("Check(%+v) = %v, want ErrCorrupt", want, err)
		}
	}
	for at, value := range map[int]byte{8: 2, 9: 7, 10: 2, 12: 17, 15: 1} {
		later := slices.Clone(parity)
		for _, b := range [][]byte{later[:headerSize], later[len(later)-footerSize:]} {
			b[at] = value
			seal(b)
		}
		if _, err := Check(file(data), file(later), nil); !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("Check() with byte %d = %d: %v, want ErrUnsupported", at, value, err)
		}
	}
}

// TestParityThatLacksAPieceIsRefused, though both its ends are whole: what it says
// of its data cannot be looked up in it.
func TestParityThatLacksAPieceIsRefused(t *testing.T) {
	const block = 16
	data := pattern(3 * 8 * block)
	parity := parityOf(t, data, block, 64)
	at := headerSize + stripeHead + block
	for what, other := range map[string][]byte{
		"a stripe less": slices.Delete(slices.Clone(parity), at, at+stripeHead+block),
		"7 bytes more":  slices.Insert(slices.Clone(parity), at, pattern(7)...),
	} {
		if r, err := Check(file(data), file(other), nil); !errors.Is(err, format.ErrCorrupt) {
			t.Errorf("%s: Check() = %+v, %v, want ErrCorrupt", what, r, err)
		}
	}
}

func TestBytesAfterTheEndAreLeftOut(t *testing.T) {
	data := pattern(50)
	got, r := repaired(t, append(slices.Clone(data), "grown"...), parityOf(t, data, 16, 50), nil)
	if !bytes.Equal(got, data) || !r.Whole() || r.Extra != 5 {
		t.Errorf("Repair() = %+v, want whole with 5 bytes left out", r)
	}
}

func TestReadingGoesAcrossBlocksAndEnds(t *testing.T) {
	data := pattern(300)
	p, err := NewReader(file(data), file(parityOf(t, data, 16, 50)), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 120, 7, 299, 300, 301} {
		b := make([]byte, 40)
		n, err := p.ReadAt(b, int64(at))
		want := data[min(at, 300):min(at+40, 300)]
		if !bytes.Equal(b[:n], want) || (err == io.EOF) != (n < 40) {
			t.Errorf("ReadAt(%d) = %d, %v, want %d bytes", at, n, err, len(want))
		}
	}
}

func TestNothingHasParityToo(t *testing.T) {
	if got, r := repaired(t, nil, parityOf(t, nil, 16, 1), nil); len(got) != 0 || !r.Whole() || r.Blocks != 0 {
		t.Errorf("Repair() = %q, %+v", got, r)
	}
}

// sector fails to read some bytes.
type sector struct {
	io.ReaderAt
	from, to int64
	err      error
}

func (s sector) ReadAt(b []byte, off int64) (int, error) {
	if off < s.to && off+int64(len(b)) > s.from {
		return 0, s.err
	}
	return s.ReaderAt.ReadAt(b, off)
}

func TestASectorThatCannotBeReadIsABadBlock(t *testing.T) {
	data := pattern(300)
	parity := parityOf(t, data, 16, 64)
	var out bytes.Buffer
	r, err := Repair(File{sector{bytes.NewReader(data), 40, 41, fmt.Errorf("read: %w", syscall.EIO)}, 300}, file(parity), nil, &out)
	if err != nil || !r.Whole() || r.Repaired != 1 || !bytes.Equal(out.Bytes(), data) {
		t.Errorf("Repair() = %+v, %v, want one block repaired", r, err)
	}
	for _, f := range []struct{ data, parity io.ReaderAt }{
		{sector{bytes.NewReader(data), 40, 41, io.ErrClosedPipe}, bytes.NewReader(parity)},
		{bytes.NewReader(data), sector{bytes.NewReader(parity), 40, 41, io.ErrClosedPipe}},
		{bytes.NewReader(data), sector{bytes.NewReader(parity), 0, 1, io.ErrClosedPipe}},
	} {
		if _, err := Check(File{f.data, 300}, File{f.parity, int64(len(parity))}, nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Check() = %v, want the failure to read", err)
		}
		p, err := NewReader(File{f.data, 300}, File{f.parity, int64(len(parity))}, nil)
		if err == nil {
			_, err = p.ReadAt(make([]byte, 300), 0)
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("ReadAt() = %v, want the failure to read", err)
		}
	}
}

// full is a disk that has room for some bytes.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, syscall.ENOSPC
	}
	return len(b), nil
}

func TestAFullDiskIsToldAtOnceAndAtTheEnd(t *testing.T) {
	data := pattern(300)
	all := int(fileSize(300, 16))
	for room := range all {
		w := newWriter(&full{room}, 16)
		_, wrote := w.Write(data)
		if closed := w.Close(); !errors.Is(closed, syscall.ENOSPC) || wrote != nil && !errors.Is(wrote, syscall.ENOSPC) {
			t.Fatalf("room for %d of %d: Write() = %v, Close() = %v, want ENOSPC", room, all, wrote, closed)
		}
	}
	if _, err := Repair(file(data), file(parityOf(t, data, 16, 9)), nil, &full{20}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Repair() = %v, want ENOSPC", err)
	}
}

func TestParityIsTheBytesItAlwaysWas(t *testing.T) {
	golden.Equal(t, "300.parity", parityOf(t, pattern(300), 16, 300))
}

func TestFileSizeIsThatOfWhatIsWritten(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if _, err := w.Write(pattern(3 << 20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := FileSize(3 << 20); got != int64(b.Len()) {
		t.Errorf("FileSize() = %d, want %d", got, b.Len())
	}
	if got := FileSize(-1); got != -1 {
		t.Errorf("FileSize(-1) = %d, want -1", got)
	}
}

// TestRepairAgainstTheRule damages some blocks at random: whole is what has
// at most one bad block in each stripe.
func TestRepairAgainstTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		block := 1 << rapid.IntRange(0, 6).Draw(t, "log2 block")
		data := rapid.SliceOfN(rapid.Byte(), 0, 40*block).Draw(t, "data")
		var b bytes.Buffer
		w := newWriter(&b, block)
		for rest := data; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "piece")
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		bad, hurt := slices.Clone(data), make(map[int]map[int]bool)
		for range rapid.IntRange(0, 4).Draw(t, "flips") {
			if len(data) == 0 {
				break
			}
			at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			if bad[at] != data[at] {
				continue
			}
			bad[at] ^= rapid.ByteRange(1, 255).Draw(t, "bits")
			stripe := at / (8 * block)
			if hurt[stripe] == nil {
				hurt[stripe] = make(map[int]bool)
			}
			hurt[stripe][at/block] = true
		}
		var repaired, lost int64
		for _, blocks := range hurt {
			if len(blocks) == 1 {
				repaired++
			} else {
				lost += int64(len(blocks))
			}
		}
		var out bytes.Buffer
		r, err := Repair(file(bad), file(b.Bytes()), nil, &out)
		if err != nil || r.Repaired != repaired || r.Lost != lost || r.Whole() != (lost == 0) || bytes.Equal(out.Bytes(), data) != (lost == 0) {
			t.Fatalf("Repair() = %+v, %v, want %d repaired and %d lost", r, err, repaired, lost)
		}
	})
}
