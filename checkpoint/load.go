package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/openfiles"
	"github.com/ckpt-dev/ckpt/internal/shelf"
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
	for tries := 0; ; tries++ {
		at, err := locate(ctx, dir, path)
		if err != nil {
			return nil, err
		}
		r, err := loadAt(ctx, dir, at)
		// If the overwrite was settled between the two its result is there.
		if settled := at.Stored != at.Path && errors.Is(err, fs.ErrNotExist); !settled || tries == settledMeanwhile {
			return r, err
		}
	}
}

// settledMeanwhile is how often an overwrite may be settled just when its
// recovery files are to be opened. Once is much.
const settledMeanwhile = 100

// loadOf is Load for some of the tensors: to the Reader there are no others.
func loadOf(ctx context.Context, dir storage.Dir, path string, names ...string) (*Reader, error) {
	at, err := locate(ctx, dir, path)
	if err != nil {
		return nil, err
	}
	return loadAt(ctx, dir, at, names...)
}

// locate finds what Load's path means.
func locate(ctx context.Context, dir storage.Dir, p string) (shelf.Place, error) {
	if p == "" || p == filename.State || strings.HasSuffix(p, "/"+filename.State) {
		return locateLatest(ctx, dir, strings.TrimSuffix(strings.TrimSuffix(p, filename.State), "/"))
	}
	if err := storage.CheckName("open", p); err != nil {
		return shelf.Place{}, err
	}
	at, err := locatePath(ctx, dir, p)
	if f, ok := filename.Parse(p); ok && errors.Is(err, fs.ErrNotExist) {
		at, err = locatePath(ctx, dir, f.Path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return at, err
	}
	missing := err
	// Of a file that is there the sentence would be that it is no directory.
	if is, err := shelf.Exists(ctx, dir, p); is {
		return shelf.Place{}, notOfCheckpoint(p, missing)
	} else if err != nil && !errors.Is(err, fs.ErrInvalid) {
		return shelf.Place{}, err
	}
	if at, err = locateLatest(ctx, dir, p); errors.Is(err, fs.ErrNotExist) {
		return shelf.Place{}, missing
	}
	return at, err
}

// ErrForeign is what Load wraps when its path names a file that belongs to no
// checkpoint.
var ErrForeign = fmt.Errorf("not a file of a TensorFlow checkpoint: %w", format.ErrUnsupported)

// notOfCheckpoint is the error of a file that is there. One that has a name as
// a checkpoint's files misses the others.
func notOfCheckpoint(p string, missing error) error {
	if f, ok := filename.Parse(p); ok {
		return fmt.Errorf("%s: is without %s: %w", p, tensorbundle.IndexName(f.Path), fs.ErrNotExist)
	}
	if _, ok := filename.CutV1Shard(p); ok {
		return missing
	}
	return fmt.Errorf("%s: %w", p, ErrForeign)
}

// locateLatest finds the latest checkpoint of the directory in, or else the
// variables of the SavedModel that it is.
func locateLatest(ctx context.Context, dir storage.Dir, in string) (shelf.Place, error) {
	below := dir
	if in != "" {
		below = storage.Sub(dir, in)
	}
	p, err := Latest(ctx, below)
	if errors.Is(err, fs.ErrNotExist) {
		if at, err := locatePath(ctx, dir, path.Join(in, filename.Variables)); err == nil {
			return at, nil
		}
	}
	if err != nil {
		return shelf.Place{}, err
	}
	return locatePath(ctx, dir, path.Join(in, p))
}

// loadAt opens the checkpoint that was found at a place, for the tensors of
// these names if there are any.
func loadAt(ctx context.Context, dir storage.Dir, at shelf.Place, names ...string) (*Reader, error) {
	r := &Reader{path: at.Path, stored: at.Stored, format: FormatV2, files: openfiles.New(ctx, dir)}
	r.replaced = sync.OnceValues(r.isReplaced)
	open := func() error { return r.openV2(names) }
	if at.V1 != nil {
		r.format = FormatV1
		open = func() error { return r.openV1(at.V1) }
	}
	if err := open(); err != nil {
		return nil, alsoFailed(r.named(err), r.Close())
	}
	return r, nil
}

func (r *Reader) openV2(names []string) error {
	index, err := r.files.File(tensorbundle.IndexName(r.stored))
	if err != nil {
		return err
	}
	read := tensorbundle.NewReader
	if len(names) > 0 {
		read = func(index io.ReaderAt, size int64, data tensorbundle.OpenData) (*tensorbundle.Reader, error) {
			return tensorbundle.NewReaderOf(index, size, data, names...)
		}
	}
	v2, err := read(index, index.Size, func(shard, shards int) (io.ReaderAt, int64, error) {
		f, err := r.files.File(tensorbundle.DataName(r.stored, shard, shards))
		if err != nil {
			return nil, 0, err
		}
		return f, f.Size, nil
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
		f, err := r.files.File(name)
		if err != nil {
			return err
		}
		parts = append(parts, tensorslice.File{Name: name, ReaderAt: f, Size: f.Size})
	}
	v1, err := tensorslice.NewReader(parts)
	if err != nil {
		return err
	}
	r.bundle, r.shards = v1, len(names)
	return nil
}

// noCheckpoint is the error of a directory without any. It says which, where
// that has a name.
func noCheckpoint(dir storage.Dir) error {
	where := "this directory"
	if named, ok := dir.(fmt.Stringer); ok {
		where = named.String()
	}
	return fmt.Errorf("no checkpoint in %s: save one first, or name the directory that one was saved to: %w", where, fs.ErrNotExist)
}
