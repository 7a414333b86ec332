package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/coordinator"
	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/sharding"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
)

// victim is a whole checkpoint that is to be damaged, alone in a directory.
type victim struct {
	name    string
	dir     storage.Dir
	path    string
	files   map[string]string // without the receipt
	objects Objects           // what was saved; nil: TensorFlow saved it
	want    string            // what read returns
}

// newVictim looks at a checkpoint before anything happens to it.
func newVictim(t *testing.T, name string, dir storage.Dir, path string, objects Objects) *victim {
	t.Helper()
	v := &victim{name: name, dir: dir, path: path, objects: objects, files: map[string]string{}}
	for _, file := range listing(t, dir) {
		if file != ReceiptName(path) && file != "checkpoint" && !strings.HasPrefix(file, ".") {
			v.files[file] = readFile(t, dir, file)
		}
	}
	var err error
	if v.want, err = v.read(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// names returns the files' names in order.
func (v *victim) names() []string {
	var names []string
	for name := range v.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// put writes other files in place of the checkpoint's, and mend its own again.
func (v *victim) put(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		writeFile(t, v.dir, name, text)
	}
}

func (v *victim) mend(t *testing.T) {
	t.Helper()
	v.put(t, v.files)
}

// read reads all that is there, and returns it as one text.
func (v *victim) read() (string, error) {
	r, err := Load(background(), v.dir, v.path)
	if err != nil {
		return "", err
	}
	text, err := readAll(r)
	return text, closing(r, err)
}

func readAll(r *Reader) (string, error) {
	var b strings.Builder
	for _, name := range r.Names() {
		x, err := r.Tensor(name)
		if err != nil {
			return "", err
		}
		elems, err := x.Strings()
		if err != nil {
			elems = []string{string(x.Bytes())}
		}
		fmt.Fprintf(&b, "%q %v %v %q\n", name, x.DType(), x.Shape(), elems)
	}
	return b.String(), nil
}

// restore restores into objects that hold something else. An error must have
// left that alone.
func (v *victim) restore(t *testing.T, what string) error {
	t.Helper()
	before, err := tensor.New(nil, []int8{-1})
	fresh := Objects{}
	for name := range v.objects {
		fresh[name] = made(t, before, err)
	}
	status, err := New(nil, fresh, nil).Read(background(), v.dir, v.path)
	if err == nil {
		err = status.AssertConsumed()
	}
	for name, want := range v.objects {
		if got := fresh[name].(*stored).t; err != nil && !got.Equal(before) {
			t.Errorf("%s: %s: Read() = %v and has changed %s", v.name, what, err, name)
		} else if err == nil && !got.Equal(stateOf(want)) {
			t.Errorf("%s: %s: Read() = nil and %s is another", v.name, what, name)
		}
	}
	return err
}

func stateOf(o any) tensor.Tensor { return o.(*stored).t }

// verify returns what Verify, or VerifyQuick, finds.
func (v *victim) verify(quick bool) error {
	r, err := Load(background(), v.dir, v.path)
	if err != nil {
		return err
	}
	if quick {
		return closing(r, r.VerifyQuick(background()))
	}
	return closing(r, r.Verify(background(), nil))
}

// wantFound wants every way of reading to find what was done to a file. at is
// where, or -1; then, or in an index, no tensor has to be named.
func (v *victim) wantFound(t *testing.T, what, file string, at int) {
	t.Helper()
	_, err := v.read()
	v.wantNamed(t, what, err, file, at)
	if err := v.verify(false); !errors.Is(err, format.ErrCorrupt) && !v.unrecognizable(file, err) {
		t.Errorf("%s: %s: Verify() = %v, want format.ErrCorrupt", v.name, what, err)
	}
	if strings.HasSuffix(file, ".index") {
		v.wantNamed(t, what+": VerifyQuick", v.verify(true), file, -1)
		_, err := View(background(), v.dir, v.path)
		v.wantNamed(t, what+": View", errors.Unwrap(err), file, -1)
	}
	if v.objects != nil {
		v.wantNamed(t, what+": Read", errors.Unwrap(v.restore(t, what)), file, at)
	}
}

// unrecognizable reports whether the file is a V1 checkpoint's and err says
// that there is none: such a file has a name like any other, and is known by what
// its first block and its end are. Without these it is no damaged checkpoint.
func (v *victim) unrecognizable(file string, err error) bool {
	f, ok := filename.Parse(file)
	is := ok && f.Path == v.path
	return !is && (errors.Is(err, ErrForeign) || errors.Is(err, fs.ErrNotExist))
}

// wantNamed wants damage that names the file, and in a data file the tensor
// that has the byte at.
func (v *victim) wantNamed(t *testing.T, what string, err error, file string, at int) {
	t.Helper()
	damage := new(format.CorruptError)
	if v.unrecognizable(file, err) {
		return
	}
	if !errors.As(err, &damage) || !errors.Is(err, format.ErrCorrupt) || damage.Part != file {
		t.Errorf("%s: %s: %v, want format.ErrCorrupt that names %s", v.name, what, err, file)
		return
	}
	if at < 0 || !strings.Contains(file, ".data-") {
		return
	}
	if end := damage.Offset + damage.Length; damage.Tensor == "" || int64(at) < damage.Offset || int64(at) >= end {
		t.Errorf("%s: %s: %v, want the tensor that has byte %d", v.name, what, err, at)
	}
}

// ownVictims are small checkpoints of ours: one of all kinds of tensors, one of
// several data files, one of which each worker wrote a slice.
func ownVictims(t *testing.T) []*victim {
	t.Helper()
	kinds, shards, slices := mem.Dir(), mem.Dir(), mem.Dir()
	objects := Objects{
		"f": floats(t, 2, 2), "text": text(t, "one", "", "three"), "empty": floats(t, 0), "word": text(t, "word"),
		"i64": of(t, tensor.Shape{2}, int64(1), -2), "u8": of(t, nil, uint8(3)), "bool": of(t, tensor.Shape{3}, true, false, true),
		"c64": of(t, nil, complex64(1+2i)), "bf16": of(t, tensor.Shape{2}, tensor.ToBF16(1.5), tensor.ToBF16(-2)), "f64": of(t, nil, 0.1),
	}
	write(t, kinds, "m", objects, nil)
	few := Objects{"a": floats(t, 3), "b": floats(t, 3), "s": text(t, "some", "words"), "c": floats(t, 5)}
	write(t, shards, "m", few, sharding.MaxShardSize(16))
	whole := Objects{"big": floats(t, 4, 3), "s": text(t, "a", "b")}
	writeSliced(t, slices, whole, 2)
	return []*victim{newVictim(t, "kinds", kinds, "m", objects), newVictim(t, "shards", shards, "m", few), newVictim(t, "slices", slices, "m", whole)}
}

func of[E tensor.Element](t *testing.T, shape tensor.Shape, elems ...E) *stored {
	t.Helper()
	x, err := tensor.New(shape, elems)
	return made(t, x, err)
}

// writeSliced lets n workers write m, of "big" a slice each.
func writeSliced(t *testing.T, dir storage.Dir, whole Objects, n int) {
	t.Helper()
	mustTeam(t, n, func(g coordinator.Group) error {
		mine := copies(whole)
		big := stateOf(whole["big"])
		rows, cols := big.Shape()[0]/int64(n), big.Shape()[1]
		region := &tensor.Slice{Start: []int64{rows * int64(g.Rank()), 0}, Length: []int64{rows, cols}}
		value, err := big.Slice(*region)
		if err != nil {
			return err
		}
		mine["big"] = &piece{stored{value}, region, big.Shape()}
		return New(nil, mine, &Options{Workers: g}).Write(background(), dir, "m")
	})
}

// foreignVictims are checkpoints that TensorFlow wrote, of both its formats.
func foreignVictims(t *testing.T) []*victim {
	t.Helper()
	var list []*victim
	patterns := []string{"tensorbundle/testdata/tf/slices.*", "tensorbundle/testdata/tf/big_endian.*", "tensorslice/testdata/tf/slices",
		"tensorslice/testdata/tf/saver_sharded-*", "tensorbundle/testdata/tf/snappy.*", "tensorbundle/testdata/tf/variant.*", "tensorbundle/testdata/tf/strings.*"}
	for _, pattern := range patterns[:torture.Times(4, len(patterns))] {
		files, err := filepath.Glob(filepath.Join("../format", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		dir := mem.Dir()
		for _, file := range files {
			if strings.HasSuffix(file, ".json") {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, dir, filepath.Base(file), string(data))
		}
		path := strings.TrimRight(filepath.Base(pattern), ".-*")
		list = append(list, newVictim(t, pattern, dir, path, nil))
	}
	return list
}
