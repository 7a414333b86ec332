package summary_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/format/tfevents"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/summary"
)

func reader(f storage.File) io.Reader { return io.NewSectionReader(f, 0, f.Size()) }

// read returns the points of all event files, file by file: "loss@1=0.5", and
// "|" where a file begins.
func read(t *testing.T, dir storage.Dir) string {
	t.Helper()
	var points []string
	for info, err := range dir.List(t.Context(), "events.out.tfevents.") {
		if err != nil {
			t.Fatal(err)
		}
		f, err := dir.Open(t.Context(), info.Name)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range tfevents.Read(reader(f)) {
			if err != nil {
				points = append(points, "torn")
				break
			}
			if e.FileVersion == tfevents.FileVersion {
				points = append(points, "|")
			}
			for _, v := range e.Values {
				points = append(points, fmt.Sprintf("%s@%d=%s", v.Tag, e.Step, text(v)))
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(points, " ")
}

func text(v tfevents.Value) string {
	if f, ok := v.Scalar(); ok {
		return fmt.Sprint(f)
	}
	s, _ := v.Text()
	return s
}

func wantRead(t *testing.T, when string, dir storage.Dir, want string) {
	t.Helper()
	if got := read(t, dir); got != want {
		t.Errorf("%s: files have %q, want %q", when, got, want)
	}
}

func create(t *testing.T, dir storage.Dir, o *summary.Options) *summary.Writer {
	t.Helper()
	w, err := summary.CreateFileWriter(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAFileGrowsWithEachFlush(t *testing.T) {
	dir := local.Dir(t.TempDir())
	w := create(t, dir, nil)
	wantRead(t, "created", dir, "|")
	must(t, w.Scalar("loss", 0, 1))
	must(t, w.Text("note", 0, "*x*"))
	wantRead(t, "waiting", dir, "|")
	must(t, w.Flush())
	wantRead(t, "flushed", dir, "| loss@0=1 note@0=*x*")
	must(t, w.Flush())
	must(t, w.Write(1, tfevents.Scalar("a", 2), tfevents.Scalar("b", 3)))
	must(t, w.Close())
	wantRead(t, "closed", dir, "| loss@0=1 note@0=*x* a@1=2 b@1=3")
}

func TestWhereFilesDoNotGrowEachFlushIsAFile(t *testing.T) {
	dir := mem.Dir()
	w := create(t, dir, nil)
	for step := range int64(12) {
		must(t, w.Scalar("x", step, 0))
	}
	wantRead(t, "waiting", dir, "")
	must(t, w.Flush())
	must(t, w.Flush()) // of nothing
	must(t, w.Scalar("y", 12, 1))
	must(t, w.Close())
	var want strings.Builder
	want.WriteString("|")
	for step := range 12 {
		fmt.Fprintf(&want, " x@%d=0", step)
	}
	wantRead(t, "closed", dir, want.String()+" | y@12=1")
}

func TestNumbersOfFilesSortAsTheyCame(t *testing.T) {
	dir := mem.Dir()
	start := time.Unix(1700000000, 0)
	w := create(t, dir, &summary.Options{Now: func() time.Time { return start }})
	want := ""
	for step := range int64(12) {
		must(t, w.Scalar("x", step, 0))
		must(t, w.Flush())
		want += fmt.Sprintf(" | x@%d=0", step)
	}
	wantRead(t, "closed", dir, want[1:])
}

func TestNamesAreTensorFlows(t *testing.T) {
	for suffix, want := range map[string]string{"": ".00000.v2", ".x": ".00000.x", "x": ".00000.x"} {
		dir := local.Dir(t.TempDir())
		w := create(t, dir, &summary.Options{Suffix: suffix, Now: func() time.Time { return time.Unix(1700000000, 0) }})
		must(t, w.Close())
		for info, err := range dir.List(t.Context(), "") {
			must(t, err)
			if !strings.HasPrefix(info.Name, "events.out.tfevents.1700000000.") || !strings.HasSuffix(info.Name, want) {
				t.Errorf("suffix %q: the file is %s, want events.out.tfevents.1700000000.<host>.<pid>%s", suffix, info.Name, want)
			}
		}
	}
}

func TestWritersOfOneSecondDoNotMeet(t *testing.T) {
	now := func() time.Time { return time.Unix(1700000000, 0) }
	for _, dir := range []storage.Dir{mem.Dir(), local.Dir(t.TempDir())} {
		for step := range int64(3) {
			w := create(t, dir, &summary.Options{Now: now})
			must(t, w.Scalar("x", step, 0))
			must(t, w.Close())
		}
		wantRead(t, "closed", dir, "| x@0=0 | x@1=0 | x@2=0")
	}
}

func TestEventsAreFlushedInTime(t *testing.T) {
	now := time.Unix(1700000000, 0)
	dir := local.Dir(t.TempDir())
	w := create(t, dir, &summary.Options{MaxQueue: 2, FlushEvery: time.Minute, Now: func() time.Time { return now }})
	must(t, w.Scalar("a", 0, 0))
	must(t, w.Scalar("a", 1, 0))
	wantRead(t, "queue not full", dir, "|")
	must(t, w.Scalar("a", 2, 0))
	wantRead(t, "queue over full", dir, "| a@0=0 a@1=0 a@2=0")
	now = now.Add(time.Minute)
	must(t, w.Scalar("a", 3, 0))
	wantRead(t, "a minute later", dir, "| a@0=0 a@1=0 a@2=0")
	now = now.Add(1)
	must(t, w.Scalar("a", 4, 0))
	wantRead(t, "more than a minute later", dir, "| a@0=0 a@1=0 a@2=0 a@3=0 a@4=0")
	must(t, w.Close())
}

// A disk that was full for a while costs no event and no file before.
func TestAFileThatFailedIsFollowedByAnother(t *testing.T) {
	full := false
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if full && op.Verb == "write" {
			return syscall.ENOSPC
		}
		return nil
	})
	dir := local.DirOn(fsys, t.TempDir())
	w := create(t, dir, nil)
	must(t, w.Scalar("a", 0, 0))
	must(t, w.Flush())
	full = true
	must(t, w.Scalar("a", 1, 0))
	must(t, w.Scalar("a", 2, 0))
	must(t, w.Scalar("a", 3, 0))
	for range 2 {
		if err := w.Flush(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Flush on a full disk = %v, want %v", err, syscall.ENOSPC)
		}
	}
	full = false
	must(t, w.Scalar("a", 4, 0))
	must(t, w.Flush())
	must(t, w.Scalar("a", 5, 0))
	must(t, w.Close())
	// Half of the bytes of the failed write are there: the first of its three
	// events, and a part of the second. The file of the second try is torn
	// inside its version.
	wantRead(t, "closed", dir, "| a@0=0 a@1=0 torn torn | a@2=0 a@3=0 a@4=0 a@5=0")
}

// Each try gets half of what is left to the disk, and no event there twice.
func TestADiskThatTakesHalfOfEachWrite(t *testing.T) {
	full := true
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if full && op.Verb == "write" && op.Size > 200 { // the version of a file is shorter
			return syscall.ENOSPC
		}
		return nil
	})
	dir := local.DirOn(fsys, t.TempDir())
	w := create(t, dir, nil)
	for step := range int64(8) {
		must(t, w.Scalar("a", step, 0)) // 40 bytes
	}
	for range 2 {
		if err := w.Flush(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Flush on a full disk = %v, want %v", err, syscall.ENOSPC)
		}
		must(t, w.Text("t", 8, strings.Repeat("x", 100)))
	}
	full = false
	must(t, w.Close())
	got := read(t, dir)
	for step := range 8 {
		if point := fmt.Sprintf("a@%d=", step); strings.Count(got, point) != 1 {
			t.Errorf("files have %s %d times, want once: %.200s", point, strings.Count(got, point), got)
		}
	}
	if n := strings.Count(got, "t@8="); n != 2 {
		t.Errorf("files have %d texts, want 2", n)
	}
}

func TestWhatWaitsForABrokenPlaceIsBounded(t *testing.T) {
	broken := errors.New("bucket gone")
	w := create(t, noCreate{mem.Dir(), broken}, nil)
	big := strings.Repeat("x", 100<<10)
	lost := 0
	for range 40 {
		if err := w.Text("t", 0, big); err != nil {
			lost++
			if !errors.Is(err, broken) || !strings.Contains(err.Error(), "11 events are lost") {
				t.Fatalf("Text = %v, want 11 events lost and %v", err, broken)
			}
		}
	}
	if lost != 3 {
		t.Errorf("%d flushes failed, want 3", lost)
	}
	if err := w.Close(); !errors.Is(err, broken) {
		t.Errorf("Close = %v, want %v", err, broken)
	}
}

// noCreate is a place that takes no files.
type noCreate struct {
	storage.Dir
	err error
}

func (d noCreate) Create(context.Context, string) (storage.Pending, error) { return nil, d.err }

func TestAWriterThatIsClosedStaysClosed(t *testing.T) {
	dir := local.Dir(t.TempDir())
	w := create(t, dir, nil)
	must(t, w.Close())
	must(t, w.Close())
	for _, err := range []error{w.Scalar("a", 0, 0), w.Flush()} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("after Close: error is %v, want %v", err, fs.ErrClosed)
		}
	}
	wantRead(t, "closed", dir, "|")
}

func TestCreateFileWriterTellsWhatIsWrong(t *testing.T) {
	fsys, _ := vfstest.FailAt(vfs.OS(), 0, syscall.EACCES)
	if _, err := summary.CreateFileWriter(t.Context(), local.DirOn(fsys, t.TempDir()), nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("CreateFileWriter = %v, want %v", err, fs.ErrPermission)
	}
	if _, err := summary.CreateFileWriter(t.Context(), mem.Dir(), &summary.Options{MaxQueue: -1}); err == nil {
		t.Error("MaxQueue -1 is no error")
	}
}

func TestGoroutinesShareAWriter(t *testing.T) {
	dir := local.Dir(t.TempDir())
	w := create(t, dir, nil)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for step := range int64(50) {
				if err := w.Scalar(fmt.Sprint(g), step, 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, w.Close())
	if got := strings.Count(read(t, dir), "@"); got != 200 {
		t.Errorf("%d points, want 200", got)
	}
}
