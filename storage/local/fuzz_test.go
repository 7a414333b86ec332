package local

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/vfs"
)

// FuzzName: whatever the name is, its path is in the directory or there is an
// error.
func FuzzName(f *testing.F) {
	for _, name := range []string{"a", "a/b", "../x", "a/../../x", "/etc/x", "", ".", "a//b", "a/", ".ckpt.tmp-x", "a/.ckpt.lock-x/b",
		"a\x00b", "\xff", `..\x`, `C:\x`, "con", strings.Repeat("x", 300)} {
		f.Add(name)
	}
	root := f.TempDir()
	d := &dir{fsys: vfs.OS(), root: root}
	f.Fuzz(func(t *testing.T, name string) {
		for _, op := range []string{"open", "create"} {
			path, err := d.begin(t.Context(), op, name)
			if err != nil {
				continue
			}
			rel, err := filepath.Rel(root, path)
			if err != nil || !filepath.IsLocal(rel) || rel == "." || filepath.ToSlash(rel) != name {
				t.Errorf("%s %q: path is %q (%v)", op, name, path, err)
			}
			for element := range strings.SplitSeq(name, "/") {
				if strings.HasPrefix(element, ".ckpt.tmp-") || strings.HasPrefix(element, ".ckpt.lock-") {
					t.Errorf("%s %q: a reserved name", op, name)
				}
			}
		}
	})
}
