package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/storage"
)

// Load opens a checkpoint of dir for reading. path is one of
//
//   - its path, "ckpt-7";
//   - the name of any one of its files, "ckpt-7.index";
//   - a directory in dir, or "" for dir itself, or the name of a state file:
//     then it is the latest there, or the variables of a SavedModel.
//
// Both of TensorFlow's formats are read; where one path has a checkpoint of
// each, V2 is meant, as in TensorFlow. Data files are opened when they are
// needed; until Close all reading obeys ctx. A checkpoint that is not there is
// an error that wraps fs.ErrNotExist. (TensorFlow: tf.train.load_checkpoint)
func Load(ctx context.Context, dir storage.Dir, path string) (*Reader, error) {
	at, err := locate(ctx, dir, path)
	if err != nil {
		return nil, err
	}
	return at.load(ctx, dir)
}

// place is where a checkpoint was found.
type place struct {
	path   string
	stored string   // path its files have
	v1     []string // the files of a V1 checkpoint
}

// locate finds what Load's path means.
func locate(ctx context.Context, dir storage.Dir, p string) (place, error) {
	if p == "" || p == stateName || strings.HasSuffix(p, "/"+stateName) {
		return locateLatest(ctx, dir, strings.TrimSuffix(strings.TrimSuffix(p, stateName), "/"))
	}
	if err := storage.CheckName("open", p); err != nil {
		return place{}, err
	}
	at, err := locatePath(ctx, dir, p)
	if f, ok := parseName(p); ok && errors.Is(err, fs.ErrNotExist) {
		at, err = locatePath(ctx, dir, f.path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return at, err
	}
	missing := err
	// Of a file that is there the sentence would be that it is no directory.
	if is, err := exists(ctx, dir, p); is {
		return place{}, notOfCheckpoint(p, missing)
	} else if err != nil && !errors.Is(err, fs.ErrInvalid) {
		return place{}, err
	}
	if at, err = locateLatest(ctx, dir, p); errors.Is(err, fs.ErrNotExist) {
		return place{}, missing
	}
	return at, err
}

// ErrForeign is what Load wraps when its path names a file that belongs to no
// checkpoint.
var ErrForeign = fmt.Errorf("not a file of a TensorFlow checkpoint: %w", format.ErrUnsupported)

// notOfCheckpoint is the error of a file that is there. One that has a name as
// a checkpoint's files misses the others.
func notOfCheckpoint(p string, missing error) error {
	if f, ok := parseName(p); ok {
		return fmt.Errorf("%s: is without %s: %w", p, tensorbundle.IndexName(f.path), fs.ErrNotExist)
	}
	if _, ok := cutV1Shard(p); ok {
		return missing
	}
	return fmt.Errorf("%s: %w", p, ErrForeign)
}

// locateLatest finds the latest checkpoint of the directory in, or else the
// variables of the SavedModel that it is.
func locateLatest(ctx context.Context, dir storage.Dir, in string) (place, error) {
	below := dir
	if in != "" {
		below = storage.Sub(dir, in)
	}
	p, err := Latest(ctx, below)
	if errors.Is(err, fs.ErrNotExist) {
		if at, err := locatePath(ctx, dir, path.Join(in, variablesPath)); err == nil {
			return at, nil
		}
	}
	if err != nil {
		return place{}, err
	}
	return locatePath(ctx, dir, path.Join(in, p))
}

// errMissing is fs.ErrNotExist with the hint that TensorFlow gives: what Save
// was given is not yet the path (checkpoint/checkpoint.py, Checkpoint.restore).
func errMissing(p string) error {
	if _, _, ok := splitNumber(p); ok {
		return fs.ErrNotExist
	}
	return fmt.Errorf("%w (is a number missing, as the -1 of ckpt-1?)", fs.ErrNotExist)
}

// locatePath finds the checkpoint of exactly this path.
func locatePath(ctx context.Context, dir storage.Dir, p string) (place, error) {
	at, err := locateV2(ctx, dir, p)
	if err != nil || at.path != "" {
		return at, err
	}
	names, err := v1Files(ctx, dir, p)
	if err == nil && len(names) == 0 {
		err = &fs.PathError{Op: "open checkpoint", Path: p, Err: errMissing(p)}
	}
	base, shard := cutV1Shard(p)
	missing := missingShard(names)
	switch {
	case err != nil:
	case shard && missing == "":
		p = base
	case missing != "" && (!shard || strings.Contains(p, "?")):
		err = &fs.PathError{Op: "open", Path: missing, Err: fs.ErrNotExist}
	}
	return place{path: p, stored: p, v1: names}, err
}

// missingShard returns the first name that a sharded V1 checkpoint lacks, by
// the number of shards that is in each name; "" if names, sorted, are all. One
// shard alone can be loaded by its own name, as in TensorFlow.
func missingShard(names []string) string {
	if len(names) == 0 {
		return ""
	}
	base, shard := cutV1Shard(names[0])
	of := names[0][max(0, len(names[0])-len("00002")):]
	shards, err := strconv.Atoi(of)
	if !shard || err != nil {
		return ""
	}
	for i := range shards {
		want := fmt.Sprintf("%s-%05d-of-%s", base, i, of)
		if _, found := slices.BinarySearch(names, want); !found {
			return want
		}
	}
	return ""
}

// locateV2 returns a place without path if there is no such checkpoint. While
// a checkpoint is overwritten, what it was counts until the new one is whole.
func locateV2(ctx context.Context, dir storage.Dir, p string) (place, error) {
	overwriting, err := exists(ctx, dir, tensorbundle.IndexName(recoveryOf(p)))
	if err != nil {
		return place{}, err
	}
	if overwriting {
		sets, err := scan(ctx, dir, p+".")
		if err != nil {
			return place{}, err
		}
		ok, err := describes(ctx, dir, sets[p])
		if rec := sets[recoveryOf(p)]; err != nil || !ok && rec != nil && rec.complete() {
			return place{path: p, stored: recoveryOf(p)}, err
		}
	}
	ok, err := exists(ctx, dir, tensorbundle.IndexName(p))
	if err != nil || !ok {
		return place{}, err
	}
	return place{path: p, stored: p}, nil
}

// load opens the checkpoint.
func (at place) load(ctx context.Context, dir storage.Dir) (*Reader, error) {
	r := &Reader{path: at.path, stored: at.stored, format: FormatV2, files: newFiles(ctx, dir)}
	open := r.openV2
	if at.v1 != nil {
		r.format = FormatV1
		open = func() error { return r.openV1(at.v1) }
	}
	if err := open(); err != nil {
		return nil, alsoFailed(r.named(err), r.Close())
	}
	return r, nil
}

func (r *Reader) openV2() error {
	index, err := r.files.file(tensorbundle.IndexName(r.stored))
	if err != nil {
		return err
	}
	v2, err := tensorbundle.NewReader(index, index.size, func(shard, shards int) (io.ReaderAt, int64, error) {
		f, err := r.files.file(tensorbundle.DataName(r.stored, shard, shards))
		if err != nil {
			return nil, 0, err
		}
		return f, f.size, nil
	})
	if err != nil {
		return err
	}
	r.bundle, r.v2, r.shards = v2, v2, v2.Shards()
	return nil
}

func (r *Reader) openV1(names []string) error {
	var parts []tensorslice.File
	for _, name := range names {
		f, err := r.files.file(name)
		if err != nil {
			return err
		}
		parts = append(parts, tensorslice.File{Name: name, ReaderAt: f, Size: f.size})
	}
	v1, err := tensorslice.NewReader(parts)
	if err != nil {
		return err
	}
	r.bundle, r.shards = v1, len(names)
	return nil
}

// v1Files returns the files of the V1 checkpoint p: a file of that name, or
// shards of it, "p-00000-of-00002". p may also be one of the shards, or all of
// them as TensorFlow 1 writes it into state files, "p-?????-of-00002".
func v1Files(ctx context.Context, dir storage.Dir, p string) ([]string, error) {
	base, ok := cutV1Shard(p)
	if !ok {
		if is, err := isV1(ctx, dir, p); is || err != nil {
			return []string{p}, err
		}
	}
	var names []string
	err := eachFile(ctx, dir, base+"-", func(info storage.Info) {
		if b, ok := cutV1Shard(info.Name); ok && b == base {
			names = append(names, info.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if is, err := isV1(ctx, dir, name); !is || err != nil {
			return nil, err
		}
	}
	return names, nil
}

// cutV1Shard cuts "-00000-of-00002" off a name.
func cutV1Shard(name string) (base string, ok bool) {
	const digits, length = "0123456789?", len("-00000-of-00000")
	cut := len(name) - length
	if cut <= 0 || name[cut] != '-' || name[cut+6:cut+10] != "-of-" {
		return name, false
	}
	for _, field := range []string{name[cut+1 : cut+6], name[cut+10:]} {
		if strings.Trim(field, digits) != "" {
			return name, false
		}
	}
	return name[:cut], true
}

// isV1 reports whether name is a file in the V1 format.
func isV1(ctx context.Context, dir storage.Dir, name string) (bool, error) {
	f, err := dir.Open(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid): // missing, or a directory
		return false, nil
	case err != nil:
		return false, err
	}
	is := tensorslice.IsV1(f, f.Size())
	return is, f.Close()
}

// mayBeV1 tells from a name whether it is worth a look: V1 files have no
// suffix of their own.
func mayBeV1(name string) bool {
	if _, ok := parseName(name); ok || path.Base(name) == stateName {
		return false
	}
	known := []string{".meta", ".json", ".pb", ".pbtxt", ".txt", ".py", ".go", ".md", ".log", ".csv", ".npy", ".npz",
		".h5", ".keras", ".safetensors", ".pt", ".pth", ".png", ".jpg", ".zip", ".gz", ".tar"}
	return !slices.Contains(known, path.Ext(name)) && !strings.HasPrefix(path.Base(name), "events.out.tfevents")
}

// noCheckpoint is the error of a directory without any.
func noCheckpoint() error {
	return fmt.Errorf("no checkpoint in this directory: save one first, or name the directory that one was saved to: %w", fs.ErrNotExist)
}
