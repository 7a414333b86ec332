package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// verdict is what verification says of a checkpoint.
type verdict struct {
	err      error // what is wrong; nil: nothing
	receipt  error // what is wrong with its receipt, where all else is right
	unsteady error // what only the first of two readings found
	deep     bool  // all of it was read
	parity   []badParity
}

// verify verifies a checkpoint, once for what its files are.
func (x *examiner) verify(ctx context.Context, path string) (verdict, error) {
	key := x.fingerprint(path)
	if v, known := x.verified[key]; known {
		return v, nil
	}
	// What is to get a receipt that vouches for it is read as a whole.
	v, err := x.verifyNow(ctx, path, x.o.Deep || x.lacksReceipt(path))
	if err == nil && v.err == nil {
		v.parity, err = x.checkParity(ctx, path, v.receipt)
	}
	if err != nil {
		return verdict{}, err
	}
	x.verified[key] = v
	return v, nil
}

// errNotWhole is why a state file is not written: what it was to name turned
// out to be damaged. Another look finds another.
var errNotWhole = errors.New("it is not whole")

// vouch reads all of a checkpoint before a state file names it, once.
func (x *examiner) vouch(ctx context.Context, path string) error {
	key := x.fingerprint(path)
	known := x.verified[key]
	if !known.deep {
		v, err := x.verifyNow(ctx, path, true)
		if err != nil {
			return err
		}
		v.parity, known = known.parity, v
		x.verified[key] = v
	}
	if known.err != nil {
		return errNotWhole
	}
	return nil
}

// fingerprint tells two states of a checkpoint's files apart.
func (x *examiner) fingerprint(path string) string {
	var b strings.Builder
	b.WriteString(path)
	for _, p := range []string{path, filename.Recovery(path)} {
		if s := x.sets[p]; s != nil {
			for _, name := range slices.Sorted(slices.Values(namesOf(s))) {
				fmt.Fprintf(&b, "\x00%s\x00%s", name, x.stamp(name))
			}
		}
	}
	if info, is := x.files[path]; is { // TensorFlow 1's
		fmt.Fprintf(&b, "\x00%s\x00%s", info.Name, x.stamp(path))
	}
	return b.String()
}

// verifyNow reads the checkpoint. What its receipt does not agree with is
// damaged or not: all checksums of its tensors decide.
func (x *examiner) verifyNow(ctx context.Context, path string, deep bool) (v verdict, err error) {
	first, err := damage(x.read(ctx, x.dir, path, deep))
	if err != nil || first == nil {
		return verdict{deep: deep}, err
	}
	second, err := damage(x.read(ctx, x.dir, path, deep))
	if err != nil {
		return verdict{}, err
	}
	if second == nil {
		return verdict{unsteady: first, deep: deep}, nil
	}
	without, err := damage(x.read(ctx, lacking{x.dir, checkpoint.ReceiptName(path)}, path, true))
	if err != nil {
		return verdict{}, err
	}
	if without == nil {
		return verdict{receipt: second, deep: true}, nil
	}
	return verdict{err: without, deep: true}, nil
}

// damage parts what is wrong with a checkpoint from what went wrong with
// reading it.
func damage(err error) (damaged, failed error) {
	if isDamage(err) || errors.Is(err, format.ErrUnsupported) {
		return err, nil
	}
	return nil, err
}

// read reads a checkpoint of dir and returns what is wrong with it.
func (x *examiner) read(ctx context.Context, dir storage.Dir, path string, deep bool) error {
	r, err := checkpoint.Load(ctx, x.watched(dir, path), path)
	if err != nil {
		return err
	}
	if deep {
		err = r.Verify(ctx, nil)
		if err == nil && r.Format() == checkpoint.FormatV2 {
			err = r.Layout(io.Discard) // which reads what no tensor needs
		}
	} else {
		err = r.VerifyQuick(ctx)
	}
	if closed := r.Close(); err == nil {
		err = closed
	}
	return err
}

// lacking is a Dir without one of its files.
type lacking struct {
	storage.Dir
	name string
}

func (l lacking) Open(ctx context.Context, name string) (storage.File, error) {
	if name == l.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return l.Dir.Open(ctx, name)
}

func (l lacking) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for info, err := range l.Dir.List(ctx, prefix) {
			if (err != nil || info.Name != l.name) && !yield(info, err) {
				return
			}
		}
	}
}

// watched returns a Dir to read a checkpoint from that tells of what is read.
func (x *examiner) watched(dir storage.Dir, path string) storage.Dir {
	if x.o.Reading == nil {
		return dir
	}
	return watched{dir, func(n int) { x.o.Reading(path, n) }}
}

type watched struct {
	storage.Dir
	read func(n int)
}

func (w watched) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := w.Dir.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return watchedFile{f, w.read}, nil
}

type watchedFile struct {
	storage.File
	read func(n int)
}

func (w watchedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := w.File.ReadAt(b, off)
	w.read(n)
	return n, err
}

// stillThere lists a checkpoint again: a training may have removed it while it
// was read, and then nothing is wrong.
func (x *examiner) stillThere(ctx context.Context, path string) (bool, error) {
	sets, err := shelf.Scan(ctx, x.dir, path+".")
	return sets[path] != nil && sets[path].Index != nil, err
}

// namesOf returns the names of all files of a set.
func namesOf(s *shelf.Set) []string {
	names := s.Others()
	if s.Index != nil {
		names = append(names, s.Index.Name)
	}
	return names
}
