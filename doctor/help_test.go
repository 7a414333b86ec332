package doctor_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// one returns a checkpoint of one variable, and the variable.
func one() (*checkpoint.Checkpoint, *trackable.Variable[float32]) {
	v := trackable.NewVariable("v", tensor.Shape{2}, []float32{0, 0})
	return checkpoint.New(nil, checkpoint.Objects{"v": v}, nil), v
}

// train saves checkpoints by a manager; those of number n hold the value n.
func train(t *testing.T, dir storage.Dir, saves int, o *checkpoint.ManagerOptions) {
	t.Helper()
	if err := trained(t.Context(), dir, saves, o); err != nil {
		t.Fatal(err)
	}
}

func trained(ctx context.Context, dir storage.Dir, saves int, o *checkpoint.ManagerOptions) error {
	c, v := one()
	return saved(ctx, c, v, dir, saves, o)
}

// trainParity is train with parity, from the highest number on.
func trainParity(t *testing.T, dir storage.Dir, saves int) {
	t.Helper()
	v := trackable.NewVariable("v", tensor.Shape{2}, []float32{10, 10})
	c := checkpoint.New(nil, checkpoint.Objects{"v": v}, &checkpoint.Options{Parity: true})
	if err := saved(t.Context(), c, v, dir, saves, nil); err != nil {
		t.Fatal(err)
	}
}

func saved(ctx context.Context, c *checkpoint.Checkpoint, v *trackable.Variable[float32], dir storage.Dir, saves int, o *checkpoint.ManagerOptions) error {
	m, err := checkpoint.NewManager(ctx, c, dir, o)
	if err != nil {
		return err
	}
	for range saves {
		v.Value[0]++
		if _, err = m.Save(ctx, nil); err != nil {
			break
		}
	}
	return errors.Join(err, m.Close(ctx))
}

// folder is a directory on the disk.
type folder struct {
	storage.Dir
	t    *testing.T
	root string
}

func newFolder(t *testing.T, saves int) folder {
	t.Helper()
	f := folder{t: t, root: t.TempDir()}
	f.Dir = local.DirOn(unflushed{vfs.OS()}, f.root)
	if saves > 0 {
		train(t, f.Dir, saves, nil)
	}
	return f
}

// unflushed spares the disk the flushes of tests that cut no power.
type unflushed struct{ vfs.FS }

func (unflushed) SyncDir(string) error { return nil }

func (u unflushed) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := u.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return unflushedFile{f}, nil
}

type unflushedFile struct{ vfs.File }

func (unflushedFile) Sync() error { return nil }

func (f folder) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) at(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

func (f folder) read(name string) string {
	f.t.Helper()
	text, err := os.ReadFile(f.at(name))
	f.must(err)
	return string(text)
}

func (f folder) write(name, text string) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.at(name)), 0o777))
	if err := os.Remove(f.at(name)); !errors.Is(err, fs.ErrNotExist) { // it may have a second name
		f.must(err)
	}
	f.must(os.WriteFile(f.at(name), []byte(text), 0o666))
}

func (f folder) remove(names ...string) {
	f.t.Helper()
	for _, name := range names {
		f.must(os.Remove(f.at(name)))
	}
}

// flip inverts the byte at an offset, counted from the end if it is negative.
func (f folder) flip(name string, at int) {
	f.t.Helper()
	text := []byte(f.read(name))
	if at < 0 {
		at += len(text)
	}
	text[at] ^= 0xff
	f.write(name, string(text))
}

// age makes everything so old that nobody can be at it any more.
func (f folder) age() {
	f.t.Helper()
	f.must(filepath.WalkDir(f.root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		then := info.ModTime().Add(-2 * time.Hour)
		return os.Chtimes(path, then, then)
	}))
}

// all returns every file, hidden ones too, and what is in it.
func (f folder) all() map[string]string {
	f.t.Helper()
	all := make(map[string]string)
	f.must(filepath.WalkDir(f.root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(f.root, path)
		if err != nil {
			return err
		}
		all[name] = "a directory"
		if !d.IsDir() {
			all[name] = f.read(name)
		}
		return nil
	}))
	return all
}

func (f folder) examine(o *doctor.Options) *doctor.Report {
	f.t.Helper()
	return f.look(doctor.Impatient(o))
}

func (f folder) look(o *doctor.Options) *doctor.Report {
	f.t.Helper()
	r, err := doctor.Examine(f.t.Context(), f.Dir, o)
	f.must(err)
	return r
}

func (f folder) fix(r *doctor.Report, o *doctor.FixOptions) *doctor.Report {
	f.t.Helper()
	after, err := r.Fix(f.t.Context(), o)
	f.must(err)
	return after
}

// restorable reads every checkpoint that passes all checksums: path and value.
func (f folder) restorable() map[string]float32 {
	f.t.Helper()
	found := make(map[string]float32)
	list, err := checkpoint.List(f.t.Context(), f.Dir, nil)
	f.must(err)
	for _, l := range list {
		if v, ok := f.value(l.Path); ok {
			found[l.Path] = v
		}
	}
	return found
}

// value restores a checkpoint, if every tensor of it is right.
func (f folder) value(path string) (float32, bool) {
	f.t.Helper()
	r, err := checkpoint.Load(f.t.Context(), withoutReceipt{f.Dir}, path)
	if err != nil {
		return 0, false
	}
	if r.Verify(f.t.Context(), nil) != nil || r.Layout(io.Discard) != nil {
		f.must(r.Close())
		return 0, false
	}
	x, err := r.Tensor("v/.ATTRIBUTES/VARIABLE_VALUE")
	f.must(errors.Join(err, r.Close()))
	values, err := tensor.Elements[float32](x)
	f.must(err)
	return values[0], true
}

// withoutReceipt hides receipts: whether a checkpoint can be restored does not
// depend on them.
type withoutReceipt struct{ storage.Dir }

func (w withoutReceipt) Open(ctx context.Context, name string) (storage.File, error) {
	if strings.HasSuffix(name, ".receipt.json") {
		name += ".hidden"
	}
	return w.Dir.Open(ctx, name)
}

func (w withoutReceipt) List(ctx context.Context, prefix string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		for info, err := range w.Dir.List(ctx, prefix) {
			if (err != nil || !strings.HasSuffix(info.Name, ".receipt.json")) && !yield(info, err) {
				return
			}
		}
	}
}

func kinds(list []doctor.Finding) []string {
	var names []string
	for _, f := range list {
		names = append(names, string(f.Kind))
	}
	slices.Sort(names)
	return names
}

func wantKinds(t *testing.T, what string, list []doctor.Finding, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := kinds(list); !slices.Equal(got, want) {
		t.Errorf("%s are %q, want %q", what, got, want)
		for _, f := range list {
			t.Logf("%s %s %q: %s; %s; %s (fixable %v)", f.Severity, f.Kind, f.Files, f.What, f.Why, f.Fix, f.Fixable)
		}
	}
}
