package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// opened is a checkpoint being read.
type opened struct {
	*checkpoint.Reader
	place
	name string // as a user would write its path
}

// withCheckpoint calls f with the checkpoint that path means.
func (a *app) withCheckpoint(ctx context.Context, path string, f func(*opened) error) error {
	p, err := locate(path)
	if err != nil {
		return err
	}
	if p.path == "" {
		a.noteState(ctx, p)
	}
	return p.with(ctx, f)
}

// with opens the checkpoint at p for f; of a directory the latest.
func (p place) with(ctx context.Context, f func(*opened) error) (err error) {
	if p.path == "" {
		// Load would do the same, but its errors would not say which it took.
		if latest, err := checkpoint.Latest(ctx, p.dir); err == nil {
			p.path = latest
		}
	}
	r, err := checkpoint.Load(ctx, p.dir, p.path)
	if err != nil {
		return p.notOpened(ctx, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	p.path = r.Path()
	return f(&opened{r, p, p.name(p.path)})
}

// explain says which checkpoint an error is about, unless the path of one of
// its files does already.
func (p place) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		if denied := p.denied(); denied != nil {
			return denied
		}
	}
	name, file := p.name(p.path), new(fs.PathError)
	if err == nil || errors.As(err, &file) && strings.HasPrefix(file.Path, name) {
		return err
	}
	if p.begins(err) {
		return p.inside(p.path, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// begins reports whether the sentence of err begins with the checkpoint's path
// or one of its files. A tensor may be called so, too.
func (p place) begins(err error) bool {
	if damage := new(format.CorruptError); errors.As(err, &damage) && damage.Tensor != "" {
		return false
	}
	rest, ok := strings.CutPrefix(err.Error(), p.path)
	return ok && p.path != "" && rest != "" && strings.Contains(".: ", rest[:1])
}

// notOpened finds the sentence for a checkpoint that could not be opened: a
// name that means nothing gets the names that do.
func (p place) notOpened(ctx context.Context, err error) error {
	// A file that is none of a checkpoint's is taken for a directory, in vain.
	missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, checkpoint.ErrForeign)
	switch {
	case !missing, p.path != "" && lacks(p.path, err):
		return p.explain(err)
	case p.path == "":
		return noCheckpoints(p.root)
	case isDir(p.arg): // its latest, or one of a listing
		return absentf("%s: it was removed in this very moment", p.name(p.path))
	case exists(p.arg):
		return notACheckpoint(p.arg)
	case !isDir(p.root):
		return absentf("%s: the directory %s does not exist", p.arg, p.root)
	}
	err = absentf("%s: no such checkpoint or directory", p.arg)
	list, listed := checkpoint.List(ctx, p.dir, nil)
	if listed != nil || len(list) == 0 {
		return err
	}
	var names []string
	for _, l := range list {
		names = append(names, l.Path)
	}
	if near := nearest(p.path, names, 5); len(near) > 0 {
		names = near
	}
	where := p.root
	if where == "." {
		where = "the current directory"
	}
	return hintf(err, "%s has %s", where, someOf(names, 5))
}

// lacks reports whether err is that a checkpoint of this path is there but
// not all of its files.
func lacks(path string, err error) bool {
	file := new(fs.PathError)
	return errors.As(err, &file) && errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(file.Path, path+"-")
}

// foreign names other kinds of files by their suffix.
var foreign = map[string]string{
	".h5": "an HDF5 file", ".hdf5": "an HDF5 file", ".keras": "a Keras 3 archive", ".safetensors": "a safetensors file",
	".pt": "a PyTorch file", ".pth": "a PyTorch file", ".npz": "a numpy archive", ".npy": "a numpy file",
	".pb": "a protobuf message", ".meta": "a graph (MetaGraphDef)",
}

// notACheckpoint is the error about a file that no checkpoint has.
func notACheckpoint(arg string) error {
	if data, ok := strings.CutSuffix(arg, filepath.Ext(arg)); ok && strings.HasPrefix(filepath.Ext(arg), ".data-") {
		err := absentf("%s: a data file without its index, %s.index", arg, data)
		return hintf(err, "a save that was never finished, or a checkpoint that was removed")
	}
	what := "not a file of a TensorFlow checkpoint"
	if kind := foreign[filepath.Ext(arg)]; kind != "" {
		what = kind + ", " + what
	}
	return hintf(fmt.Errorf("%s: %s: %w", arg, what, format.ErrUnsupported), "see 'ckpt help paths'")
}

// namedArray is a tensor of a checkpoint, or a region of it, to be printed.
type namedArray struct {
	array
	path string
	name string
}

// array finds a tensor by what the user calls it. The region is read once and
// held, unless it is very large: then pieces of it are, each when it is
// printed. Every reading verifies the checksums of all that it touches.
func (r *opened) array(want string, part region, alive func() error) (*namedArray, error) {
	name, err := findTensor(want, r.Names())
	if err != nil {
		return nil, r.explain(err)
	}
	info, err := r.Info(name)
	if err != nil {
		return nil, r.explain(err)
	}
	v := &namedArray{path: r.name, name: name}
	v.dtype, v.alive = info.DType, alive
	if v.part, v.shape, err = part.resolve(info.Shape); err != nil {
		return nil, r.explain(fmt.Errorf("%s: %w", name, err))
	}
	v.read = func(part tensor.Slice) (tensor.Tensor, error) {
		t, err := r.Slice(name, part)
		return t, r.explain(err)
	}
	n, err := v.shape.NumElements()
	if err != nil || n == 0 || v.dtype.Size() > 0 && n > readBytes/int64(v.dtype.Size()) {
		return v, r.explain(err)
	}
	return v, v.hold()
}
