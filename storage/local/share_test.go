package local_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

func mustShare(t *testing.T, d storage.Dir, oldname, newname string) storage.Pending {
	t.Helper()
	p, err := storage.Share(t.Context(), d, oldname, newname)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWhatIsSharedIsFlushedWhoeverWroteIt: TensorFlow flushes nothing.
//
// Proves D1.
func TestWhatIsSharedIsFlushedWhoeverWroteIt(t *testing.T) {
	disk := vfstest.NewStrict(nil)
	d := local.DirOn(disk, "/runs/model")
	if err := storage.WriteFile(t.Context(), d, "probe", nil); err != nil {
		t.Fatal(err)
	}
	f, err := disk.OpenFile("/runs/model/foreign", os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("not flushed"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustShare(t, d, "foreign", "ours").Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, local.DirOn(disk.Crash(vfstest.LoseAll()), "/runs/model"), "ours", "not flushed")
}

// TestWhatIsSharedIsPinnedAtOnce: between the two calls retention may do what it
// likes, and a power cut leaves no name of it that is not the place's own.
//
// Proves D15.
func TestWhatIsSharedIsPinnedAtOnce(t *testing.T) {
	disk := vfstest.NewStrict(nil)
	d := local.DirOn(disk, "/runs/model")
	if err := storage.WriteFile(t.Context(), d, "a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	disk.Advance(100 * time.Hour)
	p := mustShare(t, d, "a", "b")
	if err := storage.WriteFile(t.Context(), d, "a", []byte("new")); err != nil {
		t.Fatal(err)
	}
	lock := func(disk vfs.FS) []string {
		t.Helper()
		held, err := storage.Lock(t.Context(), local.DirOn(disk, "/runs/model"), "checkpoint")
		if err != nil {
			t.Fatal(err)
		}
		if err := held.Unlock(); err != nil {
			t.Fatal(err)
		}
		return leftovers(t, local.DirOn(disk, "/runs/model"))
	}
	// Its bytes are of long ago, it is of now: who takes the lock leaves it alone.
	if got := lock(disk); len(got) != 1 || !strings.HasPrefix(got[0], ".ckpt.tmp-shared-") {
		t.Errorf("after a lock the reserved names are %q, want the one that is shared", got)
	}
	dead := disk.Clone()
	dead.Advance(2 * time.Hour)
	if got := lock(dead); len(got) != 0 {
		t.Errorf("two hours after its writer has died %q is there, want nothing", got)
	}
	wantContent(t, local.DirOn(dead, "/runs/model"), "a", "new")
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, d, "b", "old")
	wantContent(t, d, "a", "new")
}

// TestADeadSharedNameTakesNothingWithIt: it is a second name of a file in use.
func TestADeadSharedNameTakesNothingWithIt(t *testing.T) {
	disk := vfstest.NewStrict(nil)
	d := local.DirOn(disk, "/runs/model")
	if err := storage.WriteFile(t.Context(), d, "a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	mustShare(t, d, "a", "b") // and then the process is killed
	dead := disk.Clone()
	dead.Advance(2 * time.Hour)
	again := local.DirOn(dead, "/runs/model")
	held, err := storage.Lock(t.Context(), again, "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	wantContent(t, again, "a", "old")
	if got := leftovers(t, again); len(got) != 0 {
		t.Errorf("leftovers are %q, want none", got)
	}
}

func TestSharedNamesAreOneFile(t *testing.T) {
	d := local.Dir(t.TempDir())
	write := func(name string) {
		t.Helper()
		if err := storage.WriteFile(t.Context(), d, name, []byte("text")); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	write("c")
	if err := mustShare(t, d, "a", "b").Commit(); err != nil {
		t.Fatal(err)
	}
	ids := map[storage.FileID][]string{}
	for info, err := range d.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		ids[info.ID] = append(ids[info.ID], info.Name)
	}
	if _, told := ids[storage.FileID{}]; !told && len(ids) != 2 {
		t.Errorf("the files are %v, want a and b to be one and c another", ids)
	}
}

// TestWhatCannotBeSharedIsToBeWritten: each is a reason that has nothing to do
// with the save.
func TestWhatCannotBeSharedIsToBeWritten(t *testing.T) {
	refusing := func(verb string, errno syscall.Errno) vfs.FS {
		return vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
			if op.Verb == verb && op.Verb != "open" || verb == "open" && op.Verb == verb && strings.Contains(op.Path, ".ckpt.tmp-") {
				return errno
			}
			return nil
		})
	}
	root := t.TempDir()
	if err := storage.WriteFile(t.Context(), local.Dir(root), "a", []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", filepath.Join(root, "symlink")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		fsys vfs.FS
	}{
		{"a", refusing("link", syscall.EPERM)}, {"a", refusing("link", syscall.EMLINK)}, {"a", refusing("link", syscall.EXDEV)},
		{"a", refusing("link", syscall.ENOTSUP)}, {"a", refusing("open", syscall.EACCES)}, {"symlink", vfs.OS()},
	} {
		_, err := storage.Share(t.Context(), local.DirOn(c.fsys, root), c.name, "b")
		var pe *fs.PathError
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &pe) || strings.Contains(err.Error(), ".ckpt.") {
			t.Errorf("Share(%s) = %v, want a *fs.PathError of the caller's name that wraps %v", c.name, err, errors.ErrUnsupported)
		}
	}
	if got := leftovers(t, local.Dir(root)); len(got) != 0 {
		t.Errorf("leftovers are %q, want none", got)
	}
}

// TestAReaderKeepsNoOtherNameFromBeingPublished: Windows renames and removes no
// file that is open, by whatever name.
func TestAReaderKeepsNoOtherNameFromBeingPublished(t *testing.T) {
	d := local.DirOn(vfstest.NewStrict(&vfstest.StrictOptions{Windows: true}), "/runs/model")
	ctx := t.Context()
	if err := storage.WriteFile(ctx, d, "data-1", []byte("old")); err != nil {
		t.Fatal(err)
	}
	reader, err := d.Open(ctx, "data-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := shareOf(ctx, d, "data-1", [][]string{{"data-2"}, {"index-2"}}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, d, "data-2", "old")
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsSharedThroughALink: what is outside is not made a checkpoint's.
func TestNothingIsSharedThroughALink(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	ctx, d := context.Background(), local.Dir(root)
	err := errors.Join(
		os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o666),
		os.WriteFile(filepath.Join(root, "a"), []byte("x"), 0o666),
		os.Symlink(outside, filepath.Join(root, "out")),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range [][2]string{{"out/secret", "b"}, {"a", "out/b"}} {
		if _, err := storage.Share(ctx, d, names[0], names[1]); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Share(%s, %s) = %v, want %v", names[0], names[1], err, fs.ErrInvalid)
		}
	}
	entries, err := os.ReadDir(outside)
	if names := slices.Collect(func(yield func(string) bool) {
		for _, e := range entries {
			if !yield(e.Name()) {
				return
			}
		}
	}); err != nil || !slices.Equal(names, []string{"secret"}) {
		t.Errorf("outside are %q, %v", names, err)
	}
}

// TestAFileSharedOverItselfLeavesNothing: rename(2) of two names of one file
// makes none and leaves both.
//
// Proves D15.
func TestAFileSharedOverItselfLeavesNothing(t *testing.T) {
	at := t.TempDir()
	d := local.Dir(at)
	if err := storage.WriteFile(t.Context(), d, "a", []byte("bytes")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := mustShare(t, d, "a", "b").Commit(); err != nil {
			t.Fatal(err)
		}
	}
	wantContent(t, d, "b", "bytes")
	entries, err := os.ReadDir(at)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("there are %v, want a and b", entries)
	}
}
