package filename

import (
	"path"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

// FuzzNames: whatever a directory or a state file has for names, what is made
// of them stays in the directory, and what is taken apart goes together again.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"ckpt-7", "ckpt-7.index", "ckpt-7.data-00000-of-00002", "ckpt-7.receipt.json", "checkpoint",
		"a/b-1.index", "../../etc/x", "/tmp/x/ckpt-1", `C:\run\ckpt-1`, "gs://b/ckpt-1", "ckpt-00000-of-00002", "ckpt-?????-of-00002",
		".index", "x/.index", "ckpt--1", "ckpt-9223372036854775807", "\xff-1", "variables/variables.index", "ckpt-7.recovery.index"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if n, ok := Parse(name); ok && !strings.HasPrefix(name, n.Path) {
			t.Errorf("Parse(%q) = %q", name, n.Path)
		}
		if p, _, ok := Local(name); ok {
			if err := storage.CheckName("open", p); err != nil || path.Join("in", p) != "in/"+p {
				t.Errorf("Local(%q) = %q: %v", name, p, err)
			}
		}
		if base, n, ok := SplitNumber(name); ok && Numbered(base, n) != name {
			t.Errorf("SplitNumber(%q) = %q, %d", name, base, n)
		}
		if base, ok := CutV1Shard(name); ok && len(base)+len("-00000-of-00000") != len(name) {
			t.Errorf("CutV1Shard(%q) = %q", name, base)
		}
		if missing := MissingV1Shard([]string{name}); missing == name && name != "" {
			t.Errorf("MissingV1Shard(%q) is that", name)
		}
		if Check(name) == nil && storage.CheckName("create", name) != nil {
			t.Errorf("Check(%q) takes it", name)
		}
	})
}
