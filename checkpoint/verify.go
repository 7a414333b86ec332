package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/openfiles"
)

// Verify checks everything that can be checked: that every data file is
// there, every tensor's checksum, and by the receipt, if there is one, the
// sizes and checksums of whole files. visit, if not nil, is called for each
// data file and index checked by the receipt and for each tensor, with the
// bytes checked and what is wrong. Verify goes on after damage and returns the
// first; it stops only when ctx ends. VerifyWith does more, or less.
func (r *Reader) Verify(ctx context.Context, visit func(name string, bytes int64, err error)) error {
	o := &VerifyOptions{Workers: 1}
	if visit != nil {
		o.Visit = func(v Verified) { visit(v.Name, v.Bytes, v.Err) }
	}
	return r.VerifyWith(ctx, o)
}

// verifyTensors is Verify without the receipt.
func (r *Reader) verifyTensors(ctx context.Context) error {
	v := &verifier{r: r, o: VerifyOptions{Workers: 1}, covered: make(map[int][]span)}
	if err := v.tensors(ctx); err != nil {
		return err
	}
	return v.first
}

// verifier is one call of VerifyWith. Its steps return only the context's error.
type verifier struct {
	r       *Reader
	o       VerifyOptions
	first   error
	covered map[int][]span // by shard: what tensors cover whose checksums are good, or another part's
}

type span struct{ start, end int64 }

func (v *verifier) tell(name string, bytes int64, err error) {
	v.told(Verified{Name: name, Bytes: bytes, Err: err})
}

func (v *verifier) told(one Verified) {
	if v.first == nil {
		v.first = one.Err
	}
	if v.o.Visit != nil {
		v.o.Visit(one)
	}
}

// maxMissing bounds how many missing data files are told: an index can claim
// two billion.
const maxMissing = 100

// dataFiles opens every data file: one of them may hold no tensor and would
// not be missed.
func (v *verifier) dataFiles(ctx context.Context) error {
	missing := 0
	for i := range v.r.shards {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := tensorbundle.DataName(v.r.stored, i, v.r.shards)
		f, err := v.r.files.File(name)
		if err != nil {
			v.tell(name, 0, err)
			if missing++; missing == maxMissing {
				return nil
			}
			continue
		}
		v.tell(name, f.Size, nil)
	}
	return nil
}

// extent returns the bytes a tensor takes in the data files, and notes which
// they are if they are good, or for another part to look at.
func (v *verifier) extent(name string, good bool) int64 {
	if v.r.v2 == nil {
		return v.elementBytes(name)
	}
	parts, err := v.r.parts(name)
	if err != nil {
		return 0
	}
	var n int64
	for _, e := range parts {
		n += e.Size
		if good {
			v.covered[e.Shard] = append(v.covered[e.Shard], span{e.Offset, e.Offset + e.Size})
		}
	}
	return n
}

func (v *verifier) elementBytes(name string) int64 {
	info, err := v.r.Info(name)
	if err != nil {
		return 0
	}
	n, err := info.Shape.NumElements()
	if err != nil {
		return 0
	}
	return n * int64(info.DType.Size())
}

// receipt compares whole files with what was written. A data file all of
// whose bytes belong to tensors with good checksums is not read again.
func (v *verifier) receipt(ctx context.Context) error {
	rc, err := v.r.Receipt(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		v.tell(ReceiptName(v.r.stored), 0, err)
		return ctx.Err()
	}
	if rc.silent() {
		return ctx.Err()
	}
	if _, ok := rc.file(path.Base(tensorbundle.IndexName(v.r.path))); !ok {
		v.tell(ReceiptName(v.r.stored), 0, flawed(ReceiptName(v.r.stored), "does not list the index"))
	}
	for _, f := range rc.Files {
		name := v.r.stored + strings.TrimPrefix(f.Name, path.Base(v.r.path))
		if err := v.whole(name, f); err != nil {
			v.tell(name, 0, err)
		}
		if err := ctx.Err(); err != nil || !v.isPart(name) {
			return err // one error says that the receipt is no good, not one for each of millions of files
		}
	}
	return nil
}

// isPart reports whether name is that of a file of the checkpoint.
func (v *verifier) isPart(name string) bool {
	parsed, ok := filename.Parse(name)
	return ok && parsed.Path == v.r.stored
}

// whole compares one file with what the receipt says.
func (v *verifier) whole(name string, want ReceiptFile) error {
	f, parsed, err := v.sized(name, want)
	switch {
	case errors.Is(err, fs.ErrNotExist) && parsed.Shards == v.r.shards:
		return nil // told by dataFiles
	case err != nil:
		return err
	case parsed.Part == filename.Data && v.isEnough(parsed.Shard, f):
		return nil
	}
	return v.summed(f, want)
}

// isEnough reports whether a data file need not be read as a whole: its bytes
// were verified with the tensors, or are looked at with another part. What the
// receipt itself says of the sum shows only in depth.
func (v *verifier) isEnough(shard int, f *openfiles.File) bool {
	if !v.o.mine(f.Name) {
		return true
	}
	return v.o.Depth != DepthDeep && fills(v.covered[shard], f.Size)
}

// sized opens a file that the receipt lists and compares its size.
func (v *verifier) sized(name string, want ReceiptFile) (*openfiles.File, filename.Name, error) {
	parsed, ok := filename.Parse(name)
	if !ok || parsed.Path != v.r.stored {
		return nil, parsed, flawed(ReceiptName(v.r.stored), "lists %q, which is no file of the checkpoint", want.Name)
	}
	f, err := v.r.files.File(name)
	if err == nil && f.Size != want.Size {
		err = damaged(f, "file has %d bytes, the receipt says %d", f.Size, want.Size)
	}
	return f, parsed, err
}

// summed compares the checksum of a whole file.
func (v *verifier) summed(f *openfiles.File, want ReceiptFile) error {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.Copy(sum, io.NewSectionReader(f, 0, f.Size)); err != nil {
		return err
	}
	if got := sum.Sum32(); got != want.CRC32C {
		return damaged(f, "crc32c of the file is %08x, the receipt says %08x", got, want.CRC32C)
	}
	return nil
}

func damaged(f *openfiles.File, reason string, args ...any) error {
	return &format.CorruptError{Part: f.Name, Length: f.Size, Reason: fmt.Sprintf(reason, args...)}
}

// fills reports whether the spans make up a whole file of that size.
func fills(spans []span, size int64) bool {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	var end int64
	for _, s := range spans {
		if s.start > end {
			return false
		}
		end = max(end, s.end)
	}
	return end == size
}
