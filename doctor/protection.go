package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/parity"
	"github.com/ckpt-dev/ckpt/storage"
)

// badParity is a parity file of a whole checkpoint that could not help.
type badParity struct {
	name string
	err  error // fs.ErrNotExist, or what is wrong with it
}

// checkParity finds out what of a whole checkpoint's parity is not as it should
// be. Nobody else looks at it as long as nothing is damaged, and then it is late.
// Where there is no receipt, or none to believe, no more is known of it than that
// it is all there or none.
func (x *examiner) checkParity(ctx context.Context, p string, wrong error) ([]badParity, error) {
	s := x.sets[p]
	if s == nil || x.sets[filename.Recovery(p)] != nil {
		return nil, nil
	}
	r, told := x.receipts[p]
	listed := r.Parity
	if told = told && wrong == nil; !told {
		for _, name := range x.parityOf(p, s.Shards()) {
			listed = append(listed, checkpoint.ReceiptFile{Name: path.Base(name), Size: x.files[name].Size})
		}
	}
	var bad []badParity
	for _, want := range listed {
		name := path.Join(path.Dir(p), want.Name)
		if n, ok := filename.Parse(name); !ok || n.Path != p || n.Part != filename.Parity || n.Shards != 0 && n.Shards != s.Shards() {
			continue
		}
		err := x.compareParity(ctx, name, want, told)
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		if err != nil {
			bad = append(bad, badParity{name, err})
		}
	}
	return bad, nil
}

// parityOf returns the parity files that a checkpoint should have, by what lies
// there: none or all of them.
func (x *examiner) parityOf(p string, shards int) []string {
	if len(x.sets[p].Parity) == 0 {
		return nil
	}
	names := []string{filename.OfParity(tensorbundle.IndexName(p))}
	for i := range shards {
		names = append(names, filename.OfParity(tensorbundle.DataName(p, i, shards)))
	}
	return names
}

// compareParity compares a parity file with what its receipt says, or where no
// receipt tells with what it would be if it were made now.
func (x *examiner) compareParity(ctx context.Context, name string, want checkpoint.ReceiptFile, told bool) error {
	info, there := x.files[name]
	switch {
	case !there:
		return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case info.Size != want.Size:
		return wrongParity(info, "file has %d bytes, the receipt says %d", info.Size, want.Size)
	case !x.o.Deep:
		return nil
	}
	got, err := x.sum(ctx, name)
	said := "the receipt says"
	if err == nil && !told {
		want, err = x.protect(ctx, name, io.Discard)
		said = "it should be"
	}
	if err == nil && !hasBytesOf(got, want) {
		err = wrongParity(info, "crc32c of the file is %08x, %s %08x", got.CRC32C, said, want.CRC32C)
	}
	return err
}

func wrongParity(f storage.Info, reason string, args ...any) error {
	return &format.CorruptError{Part: f.Name, Length: f.Size, Reason: fmt.Sprintf(reason, args...)}
}

// aboutParity is about the parity of a whole checkpoint.
func (x *examiner) aboutParity(p string, v verdict) {
	missing := Finding{Kind: ParityMissing, What: "is missing"}
	damaged := Finding{Kind: ParityDamaged, What: "is damaged"}
	for _, bad := range v.parity {
		f := &damaged
		if errors.Is(bad.err, fs.ErrNotExist) {
			f = &missing
		}
		f.Files = append(f.Files, bad.name)
		if f.Err == nil {
			f.Err, f.Why = bad.err, bad.err.Error()
		}
	}
	for _, f := range []Finding{missing, damaged} {
		if len(f.Files) == 0 {
			continue
		}
		f.Severity, f.Path, f.step, f.Fixable = Problem, p, stepProtect, true
		f.What = fmt.Sprintf("parity of %s %s, and could not mend it: %s", p, f.What, strings.Join(f.Files, ", "))
		f.Fix = "makes it anew, after all of " + p + " was read and is right"
		names := f.Files
		f.mend = func(ctx context.Context) error { return x.protectAgain(ctx, p, names) }
		x.find(f)
	}
}

// protectAgain makes parity anew. What it is made of is read and compared
// before: parity of damaged data would make the damage last.
func (x *examiner) protectAgain(ctx context.Context, p string, names []string) (err error) {
	if err := x.read(ctx, x.dir, p, true); err != nil {
		return err
	}
	var files []storage.Pending
	defer func() {
		for _, f := range files {
			if discarded := f.Discard(); err == nil {
				err = discarded
			}
		}
	}()
	for _, name := range names {
		f, err := x.dir.Create(ctx, name)
		if err != nil {
			return err
		}
		files = append(files, f)
		made, err := x.protect(ctx, name, f)
		if err != nil {
			return err
		}
		for _, want := range x.receipts[p].Parity {
			if want.Name == made.Name && !hasBytesOf(made, want) {
				return wrongParity(storage.Info{Name: name, Size: made.Size}, "made anew it has crc32c %08x, the receipt says %08x", made.CRC32C, want.CRC32C)
			}
		}
	}
	return storage.CommitAll(ctx, x.dir, files)
}

// protect writes the parity that belongs into the file name, and returns what a
// receipt says of that.
func (x *examiner) protect(ctx context.Context, name string, to io.Writer) (checkpoint.ReceiptFile, error) {
	n, _ := filename.Parse(name)
	of := tensorbundle.IndexName(n.Path)
	if n.Shards > 0 {
		of = tensorbundle.DataName(n.Path, n.Shard, n.Shards)
	}
	f, err := x.watched(x.dir, n.Path).Open(ctx, of)
	if err != nil {
		return checkpoint.ReceiptFile{}, err
	}
	w := parity.NewWriter(to)
	_, err = io.Copy(w, io.NewSectionReader(f, 0, f.Size()))
	for _, end := range []func() error{w.Close, f.Close} {
		if closed := end(); err == nil {
			err = closed
		}
	}
	size, sum := w.Written()
	return checkpoint.ReceiptFile{Name: path.Base(name), Size: size, CRC32C: sum}, err
}

// hasBytesOf reports whether a file is what a receipt tells, whichever save has
// written it.
func hasBytesOf(f, told checkpoint.ReceiptFile) bool {
	return f.Size == told.Size && f.CRC32C == told.CRC32C
}
