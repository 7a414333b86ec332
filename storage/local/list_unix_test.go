//go:build unix

package local_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// TestAListingReadsNoMoreThanItNeeds: what lies beside the directory that a
// prefix names is not looked at, and a link to a directory is not followed
// because its name is asked for.
func TestAListingReadsNoMoreThanItNeeds(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"beside", "a/b/file", "a/bee/file", "a/b/c/file"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	disk, record := vfstest.Record(vfs.OS())
	d := local.DirOn(disk, root)
	for _, test := range []struct {
		prefix      string
		names, read []string
	}{
		{"a/b", []string{"a/b/c/file", "a/b/file", "a/bee/file"}, []string{"a", "a/b", "a/b/c", "a/bee"}},
		{"a/b/", []string{"a/b/c/file", "a/b/file"}, []string{"a/b", "a/b/c"}},
		{"a/missing/x", nil, []string{"a/missing"}},
		{"link/b/", nil, []string{"."}},
		{"beside/x", nil, []string{"."}},
		{"../", nil, []string{"."}},
	} {
		record.Take()
		var names, read []string
		for info, err := range d.List(t.Context(), test.prefix) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, info.Name)
		}
		for _, op := range record.Take() {
			if what, name, _ := strings.Cut(op.String(), " "); what == "readdir" {
				rel, err := filepath.Rel(root, name)
				if err != nil {
					t.Fatal(err)
				}
				read = append(read, filepath.ToSlash(rel))
			}
		}
		if !slices.Equal(names, test.names) || !slices.Equal(read, test.read) {
			t.Errorf("List(%q) = %q, reading %q, want %q, %q", test.prefix, names, read, test.names, test.read)
		}
	}
}
