package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/tensor"
)

// closedPipe is the standard output of `ckpt … | head` when head is done.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestPrintingEndsWhenNobodyReads(t *testing.T) {
	row, err := tensor.New(tensor.Shape{1 << 14}, make([]int32, 1<<14))
	if err != nil {
		t.Fatal(err)
	}
	for name, printAll := range map[string]func(*bufio.Writer, *array) error{
		"text": func(w *bufio.Writer, a *array) error { return printText(w, a, true) },
		"json": printValues,
	} {
		reads := 0
		a := &array{dtype: tensor.Int32, shape: tensor.Shape{100, readBytes / 4}, part: tensor.Whole(tensor.Shape{100, readBytes / 4})}
		a.read = func(tensor.Slice) (tensor.Tensor, error) { reads++; return row, nil }
		w := bufio.NewWriter(closedPipe{})
		if err := w.WriteByte('x'); err != nil || w.Flush() == nil {
			t.Fatal("the pipe is not closed")
		}
		if err := printAll(w, a); !errors.Is(err, io.ErrClosedPipe) || reads > 1 {
			t.Errorf("%s: %v after %d reads, want %v after 1", name, err, reads, io.ErrClosedPipe)
		}
	}
}

// leaky counts the files that are open.
type leaky struct {
	storage.Dir
	open *int
}

func (d leaky) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := d.Dir.Open(ctx, name)
	if err == nil {
		*d.open++
		f = leakyFile{f, d.open}
	}
	return f, err
}

type leakyFile struct {
	storage.File
	open *int
}

func (f leakyFile) Close() error { *f.open--; return f.File.Close() }

func TestEveryFileIsClosedAgain(t *testing.T) {
	p, err := locate("../../format/tensorbundle/testdata/tf/slices")
	if err != nil {
		t.Fatal(err)
	}
	open := 0
	p.dir = leaky{p.dir, &open}
	for _, want := range []error{nil, fs.ErrInvalid} {
		err := p.with(t.Context(), func(r *opened) error {
			if _, err := r.Tensor(r.Names()[0]); err != nil {
				return err
			}
			return want
		})
		if !errors.Is(err, want) || open != 0 {
			t.Errorf("with = %v and %d open files, want %v and none", err, open, want)
		}
	}
}

func TestOfSeveralProblemsTheWorstDecides(t *testing.T) {
	list := []error{errors.New("other"), fs.ErrNotExist, format.ErrUnsupported, format.ErrCorrupt}
	for i, want := range []int{exitFailed, exitNotFound, exitUnsupported, exitCorrupt} {
		if got := exitCode(errors.Join(list[:i+1]...)); got != want {
			t.Errorf("exitCode(%v) = %d, want %d", list[:i+1], got, want)
		}
	}
}

func TestLongNamesAreFarFromEverything(t *testing.T) {
	a, b := strings.Repeat("a", 300), strings.Repeat("a", 299)+"b"
	if got := editDistance(a, b); got != 300 {
		t.Errorf("editDistance of two long names = %d, want 300", got)
	}
}

func TestASearchForAHintGivesUp(t *testing.T) {
	deep, wide := t.TempDir(), t.TempDir()
	touch := func(parts ...string) {
		t.Helper()
		file := filepath.Join(parts...)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	touch(deep, "1", "2", "3", "a.index")
	touch(deep, "1", "2", "3", "4", "5", "a.index")
	if got, want := checkpointsBelow(deep), []string{filepath.Join(deep, "1", "2", "3")}; !slices.Equal(got, want) {
		t.Errorf("checkpointsBelow(deep) = %q, want %q", got, want)
	}
	for i := range searchLimit {
		touch(wide, "a", strconv.Itoa(i))
	}
	touch(wide, "b", "a.index")
	if got := checkpointsBelow(wide); len(got) != 0 {
		t.Errorf("checkpointsBelow(wide) = %q, want none", got)
	}
}

func TestAFailedFileLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	err := toFile(t.Context(), filepath.Join(dir, "x.npy"), func(w *bufio.Writer) error {
		_, err := w.Write(make([]byte, 2<<20))
		return errors.Join(err, fs.ErrInvalid)
	})
	left, listed := os.ReadDir(dir)
	if !errors.Is(err, fs.ErrInvalid) || listed != nil || len(left) != 0 {
		t.Errorf("toFile = %v and leaves %v, %v, want %v and nothing", err, left, listed, fs.ErrInvalid)
	}
}

func TestWhatIsNoFileIsNotListed(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(os.WriteFile(filepath.Join(dir, "a.index"), nil, 0o666),
		os.Mkdir(filepath.Join(dir, "b.index"), 0o777), os.Symlink("nowhere", filepath.Join(dir, "c.index")))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for info, err := range (flatDir{root: dir}).List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	if want := []string{"a.index"}; !slices.Equal(names, want) {
		t.Errorf("List = %q, want %q", names, want)
	}
}
