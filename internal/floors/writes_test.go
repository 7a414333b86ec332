package floors

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayWrite are the directories whose code may change files without package
// vfs, and why. All others go through storage, and so through the strict file
// system of the tests.
var mayWrite = map[string]string{
	"internal/vfs":     "it is the file system",
	"internal/golden":  "writes the tests' golden files",
	"internal/torture": "tells what tests did",
	"internal/hostile": "sets the tests' traps",
	"internal/mutate":  "writes an overlay of changed sources, outside the repository",
	"bench":            "measures the disk itself, and removes what it wrote",
	"internal/cli":     "writes with --output into what is no regular file, as a pipe or device; files it writes through storage",
}

// TestFilesAreWrittenThroughStorage finds what writes past internal/vfs.
func TestFilesAreWrittenThroughStorage(t *testing.T) {
	watch(t)
	root := filepath.Join("..", "..")
	used := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := Writes(path, src)
		if len(found) == 0 {
			return err
		}
		if in := excuse(name); in != "" {
			used[in] = true
			return nil
		}
		for _, call := range found {
			t.Errorf("%s:%s: files are written through package storage, so that the tests' file system sees it", name, call)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for in := range mayWrite {
		if !used[in] {
			t.Errorf("%s needs no exception any more", in)
		}
	}
}

// excuse returns the exception that a file is under, "" for none.
func excuse(name string) string {
	for in := range mayWrite {
		if strings.HasPrefix(name, in+"/") {
			return in
		}
	}
	return ""
}

func TestWritesAreFound(t *testing.T) {
	const src = `package p

import (
	"os"
	win "golang.org/x/sys/windows"
)

type file struct{}

func (file) Rename(string, string) {}

func f() {
	os.Rename("a", "b")
	_ = os.WriteFile
	os.Open("a")
	win.MoveFileEx(nil, nil, 0)
	var os2 file
	os2.Rename("a", "b")
}
`
	got, err := Writes("p.go", []byte(src))
	want := []string{"13: os.Rename", "14: os.WriteFile", "16: golang.org/x/sys/windows.MoveFileEx"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Writes = %q, %v, want %q", got, err, want)
	}
	if _, err := Writes("p.go", []byte("package")); err == nil {
		t.Error("Writes of what is no Go = nil, want an error")
	}
}
