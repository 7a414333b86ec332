package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

const valueKey = "v/.ATTRIBUTES/VARIABLE_VALUE"

func load(t *testing.T, dir storage.Dir, path string) *Reader {
	t.Helper()
	r, err := Load(background(), dir, path)
	if err != nil {
		t.Fatalf("Load(%q) = %v", path, err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return r
}

func TestLoadTakesAnyFileOfACheckpoint(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 2)
	c, _ := one(1)
	for _, p := range []string{"variables/variables", "model/variables/variables"} {
		if err := c.Write(background(), dir, p); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"ckpt-1":                          "ckpt-1",
		"ckpt-1.index":                    "ckpt-1",
		"ckpt-1.data-00000-of-00001":      "ckpt-1",
		"ckpt-1.receipt.json":             "ckpt-1",
		"checkpoint":                      "ckpt-2",
		"":                                "ckpt-2",
		"variables/variables":             "variables/variables",
		"variables/variables.index":       "variables/variables",
		"model":                           "model/variables/variables",
		"model/variables/variables.index": "model/variables/variables",
	} {
		r := load(t, dir, path)
		if r.Path() != want || r.Format() != FormatV2 || r.Shards() != 1 {
			t.Errorf("Load(%q) = %s, %s, %d shards, want %s, V2, 1", path, r.Path(), r.Format(), r.Shards(), want)
		}
		if got, err := r.Tensor(valueKey); err != nil || got.NumElements() != 1 {
			t.Errorf("Load(%q): Tensor() = %v, %v", path, got, err)
		}
	}
	for _, path := range []string{"ckpt-3", "ckpt", "ckpt-1.meta", "empty", "c*"} {
		r, err := Load(background(), dir, path)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Load(%q) = %v, %v, want fs.ErrNotExist", path, r, err)
		}
	}
}

func TestSavedModelDirectoryIsLoaded(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	if err := c.Write(background(), dir, filename.Variables); err != nil {
		t.Fatal(err)
	}
	if r := load(t, dir, ""); r.Path() != filename.Variables {
		t.Errorf("Load(\"\") = %s, want %s", r.Path(), filename.Variables)
	}
	list, err := List(background(), dir, nil)
	if err != nil || len(list) != 1 || list[0].Path != filename.Variables || list[0].Latest {
		t.Errorf("List() = %+v, %v, want the variables", list, err)
	}
}

// v1 copies a golden V1 file into a directory.
func v1(t *testing.T, dir storage.Dir, from, to string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../format/tensorslice/testdata/tf", from))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, to, string(data))
}

func TestV1CheckpointsAreLoadedAndListed(t *testing.T) {
	dir := mem.Dir()
	v1(t, dir, "saver", "model.ckpt-5")
	v1(t, dir, "saver_sharded-00000-of-00002", "shards-9-00000-of-00002")
	v1(t, dir, "saver_sharded-00001-of-00002", "shards-9-00001-of-00002")
	for path, shards := range map[string]int{"model.ckpt-5": 1, "shards-9": 2, "shards-9-00001-of-00002": 2, "shards-9-?????-of-00002": 2} {
		r := load(t, dir, path)
		if r.Format() != FormatV1 || r.Shards() != shards || len(r.Names()) == 0 {
			t.Errorf("Load(%q) = %s of %d shards and %d tensors, want V1 of %d", path, r.Format(), r.Shards(), len(r.Names()), shards)
		}
		if want := strings.TrimSuffix(strings.TrimSuffix(path, "-00001-of-00002"), "-?????-of-00002"); r.Path() != want {
			t.Errorf("Load(%q).Path() = %q, want %q", path, r.Path(), want)
		}
		if err := r.Verify(background(), nil); err != nil {
			t.Errorf("%s: Verify() = %v", path, err)
		}
		if _, err := r.Entry(r.Names()[0]); !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("Entry() = %v, want format.ErrUnsupported", err)
		}
	}
	v1(t, dir, "saver_sharded-00001-of-00002", "part-00001-of-00002")
	if got := load(t, dir, "part-00001-of-00002").Path(); got != "part-00001-of-00002" {
		t.Errorf("Path() of a file without the others = %q, want its own name", got)
	}
	// By the name of the whole it would be a part, unsaid.
	for _, path := range []string{"part", "part-?????-of-00002"} {
		file := new(fs.PathError)
		if _, err := Load(background(), dir, path); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &file) || file.Path != "part-00000-of-00002" {
			t.Errorf("Load(%q) = %v, want an error about the missing part-00000-of-00002", path, err)
		}
	}
	list, err := List(background(), dir, nil)
	if i := slices.IndexFunc(list, func(l Listing) bool { return l.Path == "part" }); err != nil || i < 0 || list[i].Complete {
		t.Errorf("List() = %+v, %v, want part, incomplete", list, err)
	}
	remove(t, dir, "shards-9-00000-of-00002")
	if got, err := Latest(background(), dir); got != "model.ckpt-5" || err != nil {
		t.Errorf("Latest() = %q, %v, want model.ckpt-5, the only one that is complete", got, err)
	}
	writeFile(t, dir, filename.State, `model_checkpoint_path: "shards-9"`)
	list, err = List(background(), dir, nil)
	if i := slices.IndexFunc(list, func(l Listing) bool { return l.Latest }); err != nil || i < 0 || list[i].Path != "model.ckpt-5" {
		t.Errorf("List() = %+v, %v, want model.ckpt-5 as the latest, as Latest says", list, err)
	}
	remove(t, dir, filename.State)
	v1(t, dir, "saver_sharded-00000-of-00002", "shards-9-00000-of-00002")
	remove(t, dir, "part-00001-of-00002")
	list, err = List(background(), dir, nil)
	if err != nil || len(list) != 2 || list[0].Format != FormatV1 || list[0].Number != 5 || list[1].Shards != 2 || !list[1].Complete {
		t.Errorf("List() = %+v, %v", list, err)
	}
	if got, err := Latest(background(), dir); got != "shards-9" || err != nil {
		t.Errorf("Latest() = %q, %v, want shards-9", got, err)
	}
	// As TensorFlow 1 wrote it, and then moved.
	writeFile(t, dir, filename.State, `model_checkpoint_path: "/tmp/gone/model.ckpt-5"`)
	if got, err := Latest(background(), dir); got != "model.ckpt-5" || err != nil {
		t.Errorf("Latest() of an absolute path = %q, %v, want model.ckpt-5", got, err)
	}
}

func TestListTellsWhatThereIs(t *testing.T) {
	dir := savedBy(t, ManagerOptions{MaxToKeep: 2, KeepCheckpointEvery: 3e9}, 11)
	c, _ := one(1)
	if err := c.Write(background(), dir, "ckpt-100"); err != nil {
		t.Fatal(err)
	}
	remove(t, dir, "ckpt-100.data-00000-of-00001")
	writeFile(t, dir, "notes.txt", "not a checkpoint")
	writeFile(t, dir, "weights", "not a checkpoint either")
	writeFile(t, dir, "sub/other-1.index", "of another directory")
	writeFile(t, dir, "ckpt-10.receipt.json", "broken")
	list, err := List(background(), dir, &ListOptions{Receipts: true})
	if err != nil {
		t.Fatal(err)
	}
	var paths, managed, latest []string
	for _, l := range list {
		paths = append(paths, l.Path)
		if l.Managed {
			managed = append(managed, l.Path)
		}
		if l.Latest {
			latest = append(latest, l.Path)
		}
		if l.Complete != (l.Path != "ckpt-100") {
			t.Errorf("%s: Complete = %v", l.Path, l.Complete)
		}
		if (l.ReceiptErr != nil) != (l.Path == "ckpt-10") {
			t.Errorf("%s: ReceiptErr = %v", l.Path, l.ReceiptErr)
		}
	}
	wantPaths(t, "paths", paths, "ckpt-2", "ckpt-5", "ckpt-8", "ckpt-10", "ckpt-11", "ckpt-100")
	wantPaths(t, "managed", managed, "ckpt-10", "ckpt-11")
	wantPaths(t, "latest", latest, "ckpt-11")
	if r := list[1].Receipt; r == nil || !strings.HasPrefix(r.Kept, "kept every 3s") {
		t.Errorf("receipt of ckpt-5 = %+v, want why it is kept", r)
	}
}

// gone is a Dir that lists a file which is removed before it is opened.
type gone struct {
	storage.Dir
	name string
}

func (d gone) Open(ctx context.Context, name string) (storage.File, error) {
	if name == d.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return d.Dir.Open(ctx, name)
}

func TestAReceiptThatIsRemovedWhileItIsListedIsNoError(t *testing.T) {
	dir := gone{savedBy(t, ManagerOptions{}, 2), ReceiptName("ckpt-1")}
	list, err := List(background(), dir, &ListOptions{Receipts: true})
	if err != nil || len(list) != 2 || list[0].HasReceipt || list[0].ReceiptErr != nil || !list[1].HasReceipt {
		t.Errorf("List() = %+v, %v, want the first without a receipt", list, err)
	}
}

func TestListOpensOneFile(t *testing.T) {
	var tr tracer
	dir := storage.WithTrace(savedBy(t, ManagerOptions{}, 20), tr.tell)
	if _, err := List(background(), dir, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := tr.take(""), "# \nopen checkpoint\nlist\n\n"; got != want {
		t.Errorf("List did %q, want %q", got, want)
	}
}

func TestLatestOfAnEmptyDirectorySaysWhatToDo(t *testing.T) {
	for _, dir := range []storage.Dir{mem.Dir(), local.Dir(t.TempDir() + "/missing")} {
		_, err := Latest(background(), dir)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "save one first") {
			t.Errorf("Latest() = %v, want fs.ErrNotExist and what to do", err)
		}
	}
}

func TestDeferredRestoreReadsAfterClose(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 1)
	ctx, cancel := context.WithCancel(background())
	c := New(nil, nil, nil)
	status, err := c.Restore(ctx, dir, "ckpt-1")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	v := variable(-1)
	c.Track("v", v)
	if err := status.Err(); err != nil || v.Value[0] != 1 {
		t.Errorf("v = %v, %v, want 1", v.Value[0], err)
	}
	if err := status.AssertConsumed(); err != nil {
		t.Errorf("AssertConsumed() = %v", err)
	}
}

func TestDeferredRestoreOfARemovedCheckpointIsTold(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 1)
	c := New(nil, nil, nil)
	status, err := c.Restore(background(), dir, "ckpt-1")
	if err != nil {
		t.Fatal(err)
	}
	remove(t, dir, "ckpt-1.data-00000-of-00001")
	c.Track("v", variable(-1))
	if err := status.Err(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Err() = %v, want fs.ErrNotExist", err)
	}
}

func TestReplacedFileIsToldAfterClose(t *testing.T) {
	dir := savedBy(t, ManagerOptions{}, 1)
	r := load(t, dir, "ckpt-1")
	if _, err := r.Tensor(valueKey); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Tensor(valueKey); err != nil {
		t.Errorf("Tensor() after Close = %v", err)
	}
	writeFile(t, dir, "ckpt-1.data-00000-of-00001", strings.Repeat("x", 4000))
	if _, err := r.Tensor(valueKey); err == nil || !strings.Contains(err.Error(), "it was replaced") {
		t.Errorf("Tensor() of a replaced file = %v, want that told", err)
	}
}

func TestReaderReads(t *testing.T) {
	dir := mem.Dir()
	v := trackable.NewVariable("", tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6})
	if err := New(nil, Objects{"v": v}, nil).Write(background(), dir, "m"); err != nil {
		t.Fatal(err)
	}
	r := load(t, dir, "m")
	part, err := tensor.ParseSlice("1,1:0,2")
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Slice(valueKey, part)
	if err != nil {
		t.Fatal(err)
	}
	if elems, err := tensor.Elements[float32](got); err != nil || elems[0] != 4 || elems[1] != 5 {
		t.Errorf("Slice() = %v, %v, want [4 5]", elems, err)
	}
	b := make([]byte, 24)
	if err := r.ReadInto(valueKey, b); err != nil || b[3] != 0x3f {
		t.Errorf("ReadInto() = %v, %x", err, b)
	}
	if e, err := r.Entry(valueKey); err != nil || e.Size != 24 {
		t.Errorf("Entry() = %+v, %v", e, err)
	}
	if s, err := r.Slices(valueKey); err != nil || len(s) != 0 {
		t.Errorf("Slices() = %v, %v, want none", s, err)
	}
	if _, err := r.Tensor("w"); !errors.Is(err, format.ErrNoTensor) {
		t.Errorf("Tensor(w) = %v, want format.ErrNoTensor", err)
	}
	if info, err := r.Info(valueKey); err != nil || !info.Shape.Equal(tensor.Shape{2, 3}) {
		t.Errorf("Info() = %v, %v", info, err)
	}
	if rc, err := r.Receipt(background()); err != nil || rc.Writer != WriterWrite {
		t.Errorf("Receipt() = %+v, %v", rc, err)
	}
	var b2 strings.Builder
	if err := r.Layout(&b2); err != nil && !errors.Is(err, format.ErrUnsupported) {
		t.Errorf("Layout() = %v", err)
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	const data, index, receipt = "ckpt-1.data-00000-of-00001", "ckpt-1.index", "ckpt-1.receipt.json"
	for _, test := range []struct {
		what   string
		damage func(dir storage.Dir)
		where  string // the name that visit is told with the error
		is     error
	}{
		{"nothing", func(storage.Dir) {}, "", nil},
		{"no receipt", func(dir storage.Dir) { remove(t, dir, receipt) }, "", nil},
		{"a tensor's byte", func(dir storage.Dir) { flip(t, dir, data, 1, 1) }, valueKey, format.ErrCorrupt},
		{"data missing", func(dir storage.Dir) { remove(t, dir, data) }, data, fs.ErrNotExist},
		{"data longer", func(dir storage.Dir) { writeFile(t, dir, data, readFile(t, dir, data)+"x") }, data, format.ErrCorrupt},
		{"an index that the receipt is not about", func(dir storage.Dir) {
			r, err := ReadReceipt(background(), dir, "ckpt-1")
			if err != nil {
				t.Fatal(err)
			}
			r.Files[1].CRC32C ^= 1
			if err := WriteReceipt(background(), dir, "ckpt-1", r); err != nil {
				t.Fatal(err)
			}
		}, index, format.ErrCorrupt},
		{"receipt broken", func(dir storage.Dir) { writeFile(t, dir, receipt, "{}") }, receipt, format.ErrCorrupt},
		{"receipt of another", func(dir storage.Dir) {
			writeFile(t, dir, receipt, strings.ReplaceAll(readFile(t, dir, receipt), index, "x.index"))
		}, receipt, format.ErrCorrupt},
	} {
		dir := savedBy(t, ManagerOptions{}, 1)
		test.damage(dir)
		r := load(t, dir, "ckpt-1")
		told := map[string]error{}
		err := r.Verify(background(), func(name string, bytes int64, err error) {
			if err == nil && bytes <= 0 && name != data {
				t.Errorf("%s: %d bytes of %s", test.what, bytes, name)
			}
			if err != nil {
				told[name] = err
			}
		})
		if (err == nil) != (test.where == "") || test.is != nil && !errors.Is(err, test.is) {
			t.Errorf("%s: Verify() = %v", test.what, err)
		}
		if test.what == "data longer" && !strings.Contains(err.Error(), "the receipt says 1") {
			t.Errorf("%s: Verify() = %v, want both sizes told", test.what, err)
		}
		if test.where != "" && told[test.where] == nil {
			t.Errorf("%s: told %v, want it told of %s", test.what, told, test.where)
		}
	}
}

// counting counts the bytes read of data files.
type counting struct {
	storage.Dir
	n *int
}

func (c counting) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := c.Dir.Open(ctx, name)
	if err != nil || !strings.Contains(name, ".data-") {
		return f, err
	}
	return &countingFile{f, c.n}, nil
}

type countingFile struct {
	storage.File
	n *int
}

func (f *countingFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	*f.n += n
	return n, err
}

func TestVerifyReadsDataOnce(t *testing.T) {
	n, dir := 0, mem.Dir()
	if err := New(nil, Objects{"v": variable(make([]float32, 1e5)...)}, nil).Write(background(), dir, "m"); err != nil {
		t.Fatal(err)
	}
	if err := load(t, counting{dir, &n}, "m").Verify(background(), nil); err != nil {
		t.Fatal(err)
	}
	if size := len(readFile(t, dir, "m.data-00000-of-00001")); n > size+size/10 {
		t.Errorf("Verify read %d bytes of %d", n, size)
	}
}

func TestVerifyStopsWithItsContext(t *testing.T) {
	r := load(t, savedBy(t, ManagerOptions{}, 1), "ckpt-1")
	ctx, cancel := context.WithCancel(background())
	cancel()
	if err := r.Verify(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify() = %v, want context.Canceled", err)
	}
}

func TestScenario090SaveCounterIsOptional(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	if err := c.Write(background(), dir, "written"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Save(background(), dir, "saved"); err != nil {
		t.Fatal(err)
	}
	for path, restore := range map[string]func(*Checkpoint) (*trackable.LoadStatus, error){
		"written": func(c *Checkpoint) (*trackable.LoadStatus, error) { return c.Restore(background(), dir, "written") },
		"saved-1": func(c *Checkpoint) (*trackable.LoadStatus, error) { return c.Read(background(), dir, "saved-1") },
	} {
		c, v := one(0)
		status, err := restore(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(status.AssertConsumed(), status.AssertExistingObjectsMatched()); err != nil || v.Value[0] != 1 {
			t.Errorf("%s: %v, v = %v", path, err, v.Value[0])
		}
	}
}

// TestCounterThatWaitedIsRestored reads a checkpoint that has a counter and
// saves then: TensorFlow's counter goes on, with and without a root.
func TestCounterThatWaitedIsRestored(t *testing.T) {
	for _, root := range []*trackable.Node{nil, new(trackable.Node)} {
		dir := mem.Dir()
		make := func() *Checkpoint {
			if root == nil {
				return New(nil, nil, nil)
			}
			return New(new(trackable.Node), nil, nil)
		}
		c := make()
		for range 3 {
			if _, err := c.Save(background(), dir, "ckpt"); err != nil {
				t.Fatal(err)
			}
		}
		c = make()
		if _, err := c.Read(background(), dir, "ckpt-3"); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Save(background(), mem.Dir(), "ckpt"); got != "ckpt-4" || err != nil {
			t.Errorf("root %v: Save() = %q, %v, want ckpt-4", root, got, err)
		}
	}
}

func TestRootsOwnSaveCounterIsUsed(t *testing.T) {
	root, counter := new(trackable.Node), trackable.NewScalar("mine", int64(41))
	root.Track(counterName, counter)
	if got, err := New(root, nil, nil).Save(background(), mem.Dir(), "ckpt"); got != "ckpt-42" || err != nil || counter.Value[0] != 42 {
		t.Errorf("Save() = %q, %v, counter %d, want ckpt-42", got, err, counter.Value[0])
	}
	root.Track(counterName, variable(1))
	if _, err := New(root, nil, nil).Save(background(), mem.Dir(), "ckpt"); err == nil || !strings.Contains(err.Error(), "want the save counter") {
		t.Errorf("Save() with another kind of counter = %v", err)
	}
}

func TestSaveIntoASubdirectoryHasItsStateThere(t *testing.T) {
	dir := mem.Dir()
	c, _ := one(1)
	if got, err := c.Save(background(), dir, "a/b/ckpt"); got != "a/b/ckpt-1" || err != nil {
		t.Errorf("Save() = %q, %v, want a/b/ckpt-1", got, err)
	}
	if got, want := readFile(t, dir, "a/b/checkpoint"), "model_checkpoint_path: \"ckpt-1\"\nall_model_checkpoint_paths: \"ckpt-1\"\n"; got != want {
		t.Errorf("state file:\n%swant:\n%s", got, want)
	}
	if r := load(t, dir, "a/b"); r.Path() != "a/b/ckpt-1" {
		t.Errorf("Load(a/b) = %s, want a/b/ckpt-1", r.Path())
	}
}

func TestNameBasedCheckpointIsRestoredByNames(t *testing.T) {
	dir := local.Dir("../format/tensorbundle/testdata/tf")
	r := load(t, dir, "tf1")
	if _, err := r.Info("global_step"); err != nil {
		t.Fatal(err)
	}
	step := trackable.NewScalar("global_step", int64(-1))
	status, err := New(nil, Objects{"any": step}, nil).Restore(background(), dir, "tf1")
	if err != nil || step.Value[0] < 0 {
		t.Fatalf("Restore() = %v, step %d", err, step.Value[0])
	}
	if err := status.AssertExistingObjectsMatched(); err != nil {
		t.Errorf("AssertExistingObjectsMatched() = %v", err)
	}
}
