package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
)

// two saves a checkpoint of two variables, v [1 2] and w [3], and returns the
// directory.
func two(t *testing.T) storage.Dir {
	t.Helper()
	dir := mem.Dir()
	m := newManager(t, New(nil, Objects{"v": variable(1, 2), "w": variable(3)}, nil), dir, nil)
	mustSave(t, m, nil)
	return dir
}

// Where there is no state file TensorFlow gives up; here the newest complete
// checkpoint is read, and only an empty directory is an error.
func TestScenario105ListAndLoadVariables(t *testing.T) {
	dir := two(t)
	for range 2 {
		list, err := ListVariables(background(), dir, "")
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"_CHECKPOINTABLE_OBJECT_GRAPH string []", "save_counter/.ATTRIBUTES/VARIABLE_VALUE int64 []",
			"v/.ATTRIBUTES/VARIABLE_VALUE float32 [2]", "w/.ATTRIBUTES/VARIABLE_VALUE float32 [1]"}
		var got []string
		for _, s := range list {
			got = append(got, fmt.Sprint(s.Name, " ", s.DType, " ", s.Shape))
		}
		if !slices.Equal(got, want) {
			t.Errorf("ListVariables() = %q, want %q", got, want)
		}
		for _, name := range []string{valueKey, valueKey + ":0"} {
			got, err := LoadVariable(background(), dir, "", name)
			if elems, _ := tensor.Elements[float32](got); err != nil || !slices.Equal(elems, []float32{1, 2}) {
				t.Errorf("LoadVariable(%q) = %v, %v, want 1 and 2", name, elems, err)
			}
		}
		for _, name := range []string{"x", "x:0", valueKey + ":1", ":0"} {
			if _, err := LoadVariable(background(), dir, "", name); !errors.Is(err, format.ErrNoTensor) {
				t.Errorf("LoadVariable(%q) = %v, want format.ErrNoTensor", name, err)
			}
		}
		if err := dir.Remove(background(), filename.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	_, err := LoadVariable(background(), dir, "", "v")
	want := "load variable of ckpt-1: v: no such tensor (but there is v/.ATTRIBUTES/VARIABLE_VALUE)"
	if err == nil || err.Error() != want {
		t.Errorf("LoadVariable(v) = %v, want %s", err, want)
	}
	if _, err := ListVariables(background(), mem.Dir(), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ListVariables() of an empty directory = %v, want fs.ErrNotExist", err)
	}
	if _, err := LoadVariable(background(), mem.Dir(), "ckpt-1", "v"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadVariable() of no checkpoint = %v, want fs.ErrNotExist", err)
	}
}

func TestScenario106AFlippedByteHurtsItsTensorAlone(t *testing.T) {
	dir := two(t)
	e, err := load(t, dir, "ckpt-1").Entry("w/.ATTRIBUTES/VARIABLE_VALUE")
	if err != nil {
		t.Fatal(err)
	}
	flip(t, dir, dataOf("ckpt-1"), int(e.Offset), 0)
	r := load(t, dir, "ckpt-1")
	if _, err := r.Tensor("w/.ATTRIBUTES/VARIABLE_VALUE"); !errors.Is(err, format.ErrCorrupt) {
		t.Errorf("Tensor(w) = %v, want format.ErrCorrupt", err)
	}
	if _, err := r.Tensor(valueKey); err != nil {
		t.Errorf("Tensor(v) = %v, want nil", err)
	}
}

func TestScenario107AMissingShardShowsWhenItIsRead(t *testing.T) {
	dir := two(t)
	remove(t, dir, dataOf("ckpt-1"))
	if path, err := Latest(background(), dir); path != "ckpt-1" || err != nil {
		t.Errorf("Latest() = %q, %v, want ckpt-1", path, err)
	}
	r := load(t, dir, "ckpt-1")
	if _, err := r.Tensor(valueKey); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Tensor(v) = %v, want fs.ErrNotExist", err)
	}
}

func TestScenario108ATruncatedIndexIsNotOpened(t *testing.T) {
	dir := two(t)
	index := readFile(t, dir, "ckpt-1.index")
	for n := range len(index) {
		writeFile(t, dir, "ckpt-1.index", index[:n])
		if r, err := Load(background(), dir, "ckpt-1"); !errors.Is(err, format.ErrCorrupt) {
			t.Fatalf("Load() with %d of %d bytes of the index = %v, %v, want format.ErrCorrupt", n, len(index), r, err)
		}
	}
}

func TestAReaderKnowsWhatItHas(t *testing.T) {
	r := load(t, two(t), "ckpt-1")
	if !r.Has(valueKey) || r.Has("x") {
		t.Errorf("Has() = %v and %v, want true of v and false of x", r.Has(valueKey), r.Has("x"))
	}
	infos, err := r.Infos()
	if err != nil || len(infos) != 4 || infos[valueKey].DType != tensor.Float32 || !infos[valueKey].Shape.Equal(tensor.Shape{2}) {
		t.Errorf("Infos() = %v, %v", infos, err)
	}
}
