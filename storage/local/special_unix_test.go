//go:build !windows

package local_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// oddDirectory holds one of everything that is no plain file.
func oddDirectory(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	in := func(name string) string { return filepath.Join(root, name) }
	err := errors.Join(
		os.WriteFile(in("file"), []byte("content"), 0o666),
		os.WriteFile(in(".ckpt.tmp-LEFTOVER"), nil, 0o666),
		os.WriteFile(in("not\xffUTF-8"), nil, 0o666),
		os.Mkdir(in("directory"), 0o777),
		syscall.Mkfifo(in("pipe"), 0o666),
		os.Symlink("nowhere", in("dangling")),
		os.Symlink("file", in("link")),
		os.Symlink(".", in("loop")),
	)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func TestErrorSentences(t *testing.T) {
	root := oddDirectory(t)
	ctx, d := t.Context(), local.Dir(root)
	open := func(d storage.Dir, name string) error { _, err := d.Open(ctx, name); return err }
	create := func(d storage.Dir, name string) error { _, err := d.Create(ctx, name); return err }
	list := func(d storage.Dir) error {
		for _, err := range d.List(ctx, "") {
			if err != nil {
				return err
			}
		}
		return nil
	}
	missing, file := local.Dir(root+"/missing"), local.Dir(root+"/file")
	dangling := local.Dir(root + "/dangling")
	sentences := []error{
		open(d, "no"), open(d, "directory"), open(d, "pipe"), open(d, "dangling"), open(d, "file/below"),
		open(missing, "a"), open(file, "a"), open(dangling, "a"), open(local.Dir(""), "a"),
		list(missing), list(file), list(dangling), list(local.Dir("")),
		create(file, "a"), create(file, "sub/a"), create(dangling, "a"), create(d, "file/below"),
		storage.WriteFile(ctx, d, "directory", nil),
		d.Remove(ctx, "no"), d.Remove(ctx, "file/below"), missing.Remove(ctx, "a"),
		storage.Link(ctx, d, "no", "b"), storage.Link(ctx, d, "file", "link"),
		open(d, ""), open(d, "../a"), open(d, "/a"), open(d, "a\x00b"), open(d, ".ckpt.tmp-1"), create(d, "a/.ckpt.lock-x/b"),
	}
	var text strings.Builder
	for _, err := range sentences {
		var pe *fs.PathError
		if !errors.As(err, &pe) {
			t.Errorf("%v is no *fs.PathError", err)
		}
		fmt.Fprintf(&text, "%s\n", strings.ReplaceAll(fmt.Sprint(err), root, "/ckpts"))
	}
	golden.Equal(t, "sentences.txt", []byte(text.String()))
	for _, i := range []int{0, 3, 5, 7, 9, 11, 15, 18, 20, 21} {
		if !errors.Is(sentences[i], fs.ErrNotExist) {
			t.Errorf("%v is not %v", sentences[i], fs.ErrNotExist)
		}
	}
}

func TestListPassesOverWhatIsNoFile(t *testing.T) {
	root := oddDirectory(t)
	var names []string
	for info, err := range local.Dir(root).List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Name == "dangling" { // it is there, and cannot be read
			if info.Size != 0 {
				t.Errorf("%s has %d bytes", info.Name, info.Size)
			}
		} else if info.Size != int64(len("content")) {
			t.Errorf("%s has %d bytes", info.Name, info.Size)
		}
		names = append(names, info.Name)
	}
	if want := []string{"dangling", "file", "link"}; !slices.Equal(names, want) {
		t.Errorf("List = %q, want %q", names, want)
	}
}

// TestLinksAreReplacedNotFollowed: a commit or removal never reaches through a
// link to another file.
func TestLinksAreReplacedNotFollowed(t *testing.T) {
	root := oddDirectory(t)
	ctx, d := t.Context(), local.Dir(root)
	wantContent(t, d, "link", "content")
	for _, name := range []string{"link", "dangling"} {
		if err := storage.WriteFile(ctx, d, name, []byte("new")); err != nil {
			t.Fatal(err)
		}
		wantContent(t, d, name, "new")
	}
	wantContent(t, d, "file", "content")
	if err := d.Remove(ctx, "loop"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(root, "again")); err != nil {
		t.Fatal(err)
	}
	if err := storage.Link(ctx, d, "again", "copy"); err != nil {
		t.Fatal(err)
	}
	if err := storage.WriteFile(ctx, d, "file", []byte("replaced")); err != nil {
		t.Fatal(err)
	}
	wantContent(t, d, "copy", "content")
}

// TestWhatIsNoFileIsNotShared, nor what becomes none between two looks.
func TestWhatIsNoFileIsNotShared(t *testing.T) {
	root := oddDirectory(t)
	for _, name := range []string{"pipe", "directory", "loop"} {
		if _, err := storage.Share(t.Context(), local.Dir(root), name, "b"); err == nil {
			t.Errorf("Share(%s) is no error, want one", name)
		}
	}
	fsys := vfstest.Hook(vfs.OS(), func(op vfstest.Op) error {
		if op.Verb != "link" {
			return nil
		}
		return os.Rename(filepath.Join(root, "pipe"), op.Path)
	})
	if _, err := storage.Share(t.Context(), local.DirOn(fsys, root), "file", "b"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Share of a file that is a pipe by now = %v, want %v", err, fs.ErrInvalid)
	}
	if info, err := os.Lstat(filepath.Join(root, "b")); err == nil {
		t.Errorf("b is there, %v", info.Mode())
	}
}

func TestModesFollowTheUmask(t *testing.T) {
	for _, umask := range []int{0o022, 0o077, 0} {
		root := filepath.Join(t.TempDir(), "root")
		old := syscall.Umask(umask)
		err := storage.WriteFile(t.Context(), local.Dir(root), "sub/a", nil)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		for name, full := range map[string]fs.FileMode{"": 0o777, "sub": 0o777, "sub/a": 0o666} {
			info, err := os.Stat(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := info.Mode().Perm(), full&^fs.FileMode(umask); got != want {
				t.Errorf("with umask %03o %q has mode %o, want %o", umask, name, got, want)
			}
		}
	}
}
