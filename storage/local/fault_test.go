package local_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestEveryOperationMayFail fails each operation of each scenario once.
func TestEveryOperationMayFail(t *testing.T) {
	for _, s := range scenarios {
		for _, errno := range errnos {
			for i := 0; ; i++ {
				run := &faultRun{scenario: s, errno: errno}
				if !run.do(t, i, false) {
					break // it was through before the i-th operation
				}
				run.check(t)
				if run.err != nil || run.hit.Verb != "unlink" { // what could not be removed goes when it is old
					wantNoTemps(t, run.root, run.what)
				}
			}
		}
	}
}

var errnos = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES, syscall.EMFILE, syscall.ESTALE}

// TestEveryOperationMayBeDoneAndYetFail is about servers whose answers are lost.
func TestEveryOperationMayBeDoneAndYetFail(t *testing.T) {
	for _, s := range scenarios {
		for i := 0; ; i++ {
			run := &faultRun{scenario: s, errno: syscall.EIO, really: true}
			if !run.do(t, i, false) {
				break
			}
			run.check(t)
			if run.hit.Verb != "create" { // of that nobody knows: it goes when it is old
				wantNoTemps(t, run.root, run.what)
			}
		}
	}
}

// TestDeadDisk fails each operation and all after it: nothing can be tidied
// up, but the old files are there.
func TestDeadDisk(t *testing.T) {
	for _, s := range scenarios {
		for i := 0; ; i++ {
			run := &faultRun{scenario: s, errno: syscall.EIO}
			if !run.do(t, i, true) {
				break
			}
			run.check(t)
		}
	}
}

type faultRun struct {
	scenario
	errno  syscall.Errno
	root   string
	what   string // for messages
	really bool   // what fails is done
	err    error
	mu     sync.Mutex
	hit    *vfstest.Op // the operation that failed
	done   []vfstest.Op
}

// do runs the scenario with its i-th operation failing, and with dead all
// after it, and reports whether there was an i-th.
func (r *faultRun) do(t *testing.T, i int, dead bool) bool {
	t.Helper()
	r.root = r.before(t)
	n := 0
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		n++
		if n-1 == i || dead && n > i {
			if r.hit == nil {
				r.hit = &op
			}
			if !r.really {
				return r.errno
			}
			if op.Verb != "syncdir" { // what it was good for nobody may rely on
				r.done = append(r.done, op)
			}
			return vfstest.Done(r.errno)
		}
		r.done = append(r.done, op)
		return nil
	})
	r.err = r.run(t.Context(), local.DirOn(fsys, r.root), r.waves)
	if r.hit == nil {
		return false
	}
	r.what = fmt.Sprintf("%s with %v in operation %d (%s)", r.name, r.errno, i, *r.hit)
	return true
}

func (r *faultRun) check(t *testing.T) {
	t.Helper()
	var pe *fs.PathError
	if r.err == nil && (r.hit.Verb == "fstat" || r.hit.Verb == "readdir") {
		return // of removeStale: what it could not find the next process removes
	}
	if r.err == nil && r.errno == syscall.EACCES && r.hit.Verb == "syncdir" && r.hit.Path == filepath.Dir(r.root) {
		return // where this process may not look it has made nothing
	}
	if r.err == nil && r.passedOver() {
		return
	}
	if !errors.As(r.err, &pe) || !errors.Is(r.err, r.errno) {
		t.Errorf("%s: error is %v, want a *fs.PathError that wraps %v", r.what, r.err, r.errno)
	} else if name, err := filepath.Rel(r.root, pe.Path); err != nil || !slices.Contains(slices.Concat(r.waves...), name) && !slices.Contains(r.files, name) {
		t.Errorf("%s: error %v names %s, want a file of the caller's", r.what, r.err, pe.Path)
	}
	if strings.Contains(fmt.Sprint(r.err), ".ckpt.") {
		t.Errorf("%s: error %v names a reserved file", r.what, r.err)
	}
	changed := map[string]bool{}
	for _, op := range r.done {
		switch op.Verb {
		case "rename", "link":
			changed[op.To] = true
		case "unlink":
			changed[op.Path] = true
		}
	}
	for _, name := range slices.Concat(r.files, slices.Concat(r.waves...)) {
		r.checkFile(t, name, changed[filepath.Join(r.root, name)])
	}
	r.checkOrder(t, changed)
}

// passedOver reports whether what failed of a file that is shared is no failure
// of its publishing: a rename that a link stands in for, and the removal of a
// reserved name after it, which the next writer does.
func (r *faultRun) passedOver() bool {
	rename := slices.ContainsFunc(r.done, func(op vfstest.Op) bool { return op.Verb == "rename" || op.Verb == "link" && isShared(op.To) })
	return strings.HasPrefix(r.name, "share") && (r.hit.Verb == "rename" && r.errno == syscall.EACCES || r.hit.Verb == "unlink" && rename)
}

// checkFile wants the old content, or the new after the rename.
func (r *faultRun) checkFile(t *testing.T, name string, changed bool) {
	t.Helper()
	want := "missing"
	switch {
	case changed && (r.name == "link" || strings.HasPrefix(r.name, "share") && isShared(name)):
		want = "old"
	case changed && r.name != "remove_all":
		want = "new"
	case !changed && slices.Contains(r.files, name):
		want = "old"
	}
	got := "missing"
	data, err := os.ReadFile(filepath.Join(r.root, name))
	if err == nil {
		got = string(data)
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got != want {
		t.Errorf("%s: %s is %q, want %q", r.what, name, got, want)
	}
}

// checkOrder wants all of a wave, and the flush of its directories, done
// before anything of the next.
func (r *faultRun) checkOrder(t *testing.T, changed map[string]bool) {
	t.Helper()
	failed := -1 // the first wave that is not complete
	for i, wave := range r.waves {
		for _, name := range wave {
			path := filepath.Join(r.root, name)
			if changed[path] && failed >= 0 && failed < i {
				t.Errorf("%s: %s of wave %d is changed, but wave %d is not complete", r.what, name, i, failed)
			}
			if failed < 0 && (!changed[path] || r.hit.Verb == "syncdir" && !r.flushedAfter(path)) {
				failed = i
			}
		}
	}
}

// flushedAfter reports whether the directory of path was flushed after path
// had changed.
func (r *faultRun) flushedAfter(path string) bool {
	changed := false
	for _, op := range r.done {
		changed = changed || op.To == path || op.Verb == "unlink" && op.Path == path
		if changed && op.Verb == "syncdir" && op.Path == filepath.Dir(path) {
			return true
		}
	}
	return false
}

func wantNoTemps(t *testing.T, root, what string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(e.Name(), ".ckpt.tmp-") {
			t.Errorf("%s: %s stays behind", what, path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// failing returns the disk with every operation of the verb failing, and how
// often one was asked for.
func failing(verb string) (fsys vfs.FS, asked *int) {
	asked = new(int)
	return vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if op.Verb == verb {
			*asked++
			return syscall.EIO
		}
		return nil
	}), asked
}

// TestFailedFlushIsNotRetried: the kernel forgets a failed flush once it has
// been told, so that a second one may succeed with the bytes lost.
func TestFailedFlushIsNotRetried(t *testing.T) {
	root := t.TempDir()
	fsys, syncs := failing("sync")
	p, err := local.DirOn(fsys, root).Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := p.Commit(); err == nil {
			t.Error("Commit after a failed flush is no error")
		}
	}
	if *syncs != 1 {
		t.Errorf("the file was flushed %d times, want 1", *syncs)
	}
	wantNoTemps(t, root, "Commit without Discard")
}

// TestUnflushedDirectoryIsTakenBack: left alone, another process might find it
// and use it; and who fails leaves nothing.
func TestUnflushedDirectoryIsTakenBack(t *testing.T) {
	root := t.TempDir()
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if op.Verb == "syncdir" && op.Path == root {
			return syscall.EIO
		}
		return nil
	})
	if _, err := local.DirOn(fsys, root).Create(t.Context(), "new/a"); !errors.Is(err, syscall.EIO) {
		t.Errorf("Create = %v, want %v", err, syscall.EIO)
	}
	if _, err := os.Stat(filepath.Join(root, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of the directory = %v, want %v", err, fs.ErrNotExist)
	}
}

// TestFailedFileGivesItsBufferBackOnce: given back twice, two files would
// share it.
func TestFailedFileGivesItsBufferBackOnce(t *testing.T) {
	fsys, _ := failing("close")
	if err := storage.WriteFile(t.Context(), local.DirOn(fsys, t.TempDir()), "a", []byte("x")); err == nil {
		t.Fatal("WriteFile is no error, want one")
	}
	d := local.Dir(t.TempDir())
	var wave []storage.Pending
	for _, name := range []string{"a", "b", "c"} {
		p, err := d.Create(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Write([]byte("content of " + name)); err != nil {
			t.Fatal(err)
		}
		wave = append(wave, p)
	}
	if err := storage.CommitAll(t.Context(), d, wave); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		wantContent(t, d, name, "content of "+name)
	}
}

// TestAFailedWriteIsNotForgotten: what follows would leave a hole behind it.
func TestAFailedWriteIsNotForgotten(t *testing.T) {
	root, piece := t.TempDir(), make([]byte, 1<<20)
	var failed atomic.Bool
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if op.Verb != "write" || failed.Swap(true) {
			return nil
		}
		return syscall.EIO
	})
	p, err := local.DirOn(fsys, root).Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; err == nil && n < 100; n++ { // it may be told when what was handed over is written
		_, err = p.Write(piece)
	}
	_, again := p.Write(piece)
	for _, err := range []error{err, again} {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("Write = %v, want %v, then and later", err, syscall.EIO)
		}
	}
	if err := p.Commit(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Commit = %v, want %v", err, syscall.EIO)
	}
	if _, err := os.Stat(filepath.Join(root, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat of the file = %v, want %v", err, fs.ErrNotExist)
	}
}

// foreign is a Pending of another package, which tells how it was published.
type foreign struct {
	storage.Pending
	how []string
}

func (f *foreign) Commit() error  { f.how = append(f.how, "commit"); return nil }
func (f *foreign) Publish() error { f.how = append(f.how, "publish"); return nil }
func (f *foreign) Discard() error { f.how = append(f.how, "discard"); return nil }

// TestAForeignFileIsCommittedToo: what follows it in another wave relies on it.
func TestAForeignFileIsCommittedToo(t *testing.T) {
	f := new(foreign)
	if err := storage.CommitAll(t.Context(), local.Dir(t.TempDir()), []storage.Pending{f}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"commit"}; !slices.Equal(f.how, want) {
		t.Errorf("CommitAll does %q, want %q", f.how, want)
	}
}

// TestALockTellsOfItsHolderAlone: not of the one before it, whatever that has
// left in the file, and of nobody when it is free.
func TestALockTellsOfItsHolderAlone(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, ".ckpt.lock-a")
	if err := os.WriteFile(file, []byte(strings.Repeat("process 1 of long ago\n", 100)), 0o666); err != nil {
		t.Fatal(err)
	}
	lock, err := storage.Lock(t.Context(), local.Dir(root), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantLines := func(when string, want int) {
		t.Helper()
		if text, err := os.ReadFile(file); err != nil || strings.Count(string(text), "\n") != want || strings.Contains(string(text), "long ago") {
			t.Errorf("%s the lock's file is %q, %v, want %d lines", when, text, err, want)
		}
	}
	wantLines("held", 1)
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	wantLines("free", 0)
}
