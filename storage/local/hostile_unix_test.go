//go:build unix

package local_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/hostile"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestAListingPassesOverLinksThatLeadNowhere: one link to itself kept every
// listing of its directory from ending well. They are there, without a byte, and
// whoever opens one is told.
func TestAListingPassesOverLinksThatLeadNowhere(t *testing.T) {
	root := t.TempDir()
	in := func(name string) string { return filepath.Join(root, name) }
	err := errors.Join(
		os.WriteFile(in("file"), nil, 0o666),
		os.Symlink("self", in("self")),
		os.Symlink("b", in("a")), os.Symlink("a", in("b")),
		os.Symlink("file/below", in("through")),
		os.Symlink(strings.Repeat("x", 300), in("long")),
		os.Symlink("/dev/zero", in("zero")),
	)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for info, err := range local.Dir(root).List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
		if info.Name == "file" {
			continue
		}
		if f, err := local.Dir(root).Open(t.Context(), info.Name); err == nil || info.Size != 0 {
			t.Errorf("Open(%s) = %v, %v, size %d in the listing, want an error and 0", info.Name, f, err, info.Size)
		}
	}
	if want := []string{"a", "b", "file", "long", "self", "through"}; !slices.Equal(names, want) {
		t.Errorf("List = %q, want %q", names, want)
	}
}

// TestAListingPassesOverWhatIsTooDeepForAName makes directories in each other
// until no path leads to the last.
func TestAListingPassesOverWhatIsTooDeepForAName(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	deepen(t, root, strings.Repeat("d", 200), 30)
	var names []string
	for info, err := range local.Dir(root).List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	if want := []string{"file"}; !slices.Equal(names, want) {
		t.Errorf("List = %q, want %q", names, want)
	}
}

// deepen makes a chain of directories longer than a path may be.
func deepen(t *testing.T, at, name string, n int) {
	t.Helper()
	root, err := os.OpenRoot(at)
	for range n {
		if err == nil {
			err = root.Mkdir(name, 0o777)
		}
		if err != nil {
			t.Fatal(err)
		}
		next, failed := root.OpenRoot(name)
		if err = errors.Join(failed, root.Close()); err == nil {
			root = next
		}
	}
	if err == nil {
		err = root.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestNothingIsChangedThroughALink tries every way to change something by way
// of a link to a directory outside, and a lock whose file is a link.
//
// Proves D11, D25.
func TestNothingIsChangedThroughALink(t *testing.T) {
	g := hostile.NewGround(t)
	ctx, d := t.Context(), local.Dir(g.Dir)
	err := errors.Join(
		os.Symlink(g.Outside, filepath.Join(g.Dir, "out")), os.Mkdir(filepath.Join(g.Dir, "sub"), 0o777),
		os.Symlink(filepath.Join("..", "..", "outside"), filepath.Join(g.Dir, "sub", "out")),
		os.Symlink(filepath.Join(g.Outside, "secret"), filepath.Join(g.Dir, ".ckpt.lock-state")),
		os.Symlink(filepath.Join(g.Outside, "new"), filepath.Join(g.Dir, ".ckpt.lock-new")),
		os.WriteFile(filepath.Join(g.Dir, "file"), nil, 0o666),
	)
	if err != nil {
		t.Fatal(err)
	}
	lock := func(name string) error { _, err := storage.Lock(ctx, d, name); return err }
	appendTo := func(name string) error { _, err := storage.Append(ctx, d, name); return err }
	for what, err := range map[string]error{
		"out is a symbolic link":              storage.WriteFile(ctx, d, "out/secret", []byte("x")),
		"sub/out is a symbolic link":          storage.WriteFile(ctx, d, "sub/out/deep/new", nil),
		"out is a symbolic link, through":     d.Remove(ctx, "out/secret"),
		"out is a symbolic link, through w":   storage.RemoveAll(ctx, d, []string{"file", "out/secret"}),
		"out is a symbolic link, through wh":  storage.Link(ctx, d, "file", "out/new"),
		"out is a symbolic link, through whi": appendTo("out/new"),
		"sub/out is a symbolic link, ":        lock("sub/out/removal"),
		".ckpt.lock-state is a symbolic link": lock("state"),
		".ckpt.lock-new is a symbolic link":   lock("new"),
	} {
		if !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want that %s", err, what)
		}
	}
	if err := storage.WriteFile(ctx, d, "file", []byte("still there")); err != nil {
		t.Error(err)
	}
	wantContent(t, d, "out/secret", "canary outside/secret") // reading goes through links, as TensorFlow's does
	g.Check("every change through a link")
	torture.Count(t, "hostile inputs", 9)
}
