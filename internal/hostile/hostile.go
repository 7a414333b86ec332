// Package hostile makes the directories that tests of hostile input work in:
// full of traps, and with a tree around them that nobody may touch.
package hostile

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Ground is a directory to work in, and the tree around it: files as tempting
// as a victim's, which stay as they are.
type Ground struct {
	Dir     string // to work in
	Outside string // beside it
	t       testing.TB
	before  []string
}

// canaries are the files of the tree, with names that a checkpoint's files
// have, so that a path that escapes finds what it looks for.
var canaries = []string{
	"checkpoint", "ckpt-1.index", "ckpt-1.data-00000-of-00001", "ckpt-1.receipt.json", "x", "x.index", "run.json",
	"outside/checkpoint", "outside/ckpt-1.index", "outside/ckpt-1.data-00000-of-00001", "outside/ckpt-1.receipt.json",
	"outside/secret", "outside/x.index", "outside/run.json", "outside/.ckpt.tmp-old", "outside/removal", "etc/x",
}

// NewGround makes a tree with an empty directory in it.
func NewGround(t testing.TB) *Ground {
	t.Helper()
	root := t.TempDir()
	g := &Ground{Dir: filepath.Join(root, "a", "dir"), Outside: filepath.Join(root, "a", "outside"), t: t}
	err := os.MkdirAll(g.Dir, 0o777)
	for _, name := range canaries {
		for _, above := range []string{root, filepath.Join(root, "a")} {
			path := filepath.Join(above, name)
			err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte("canary "+name), 0o666))
		}
	}
	if err == nil {
		g.before, err = g.look()
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Fresh empties the directory.
func (g *Ground) Fresh() {
	g.t.Helper()
	if err := errors.Join(os.RemoveAll(g.Dir), os.Mkdir(g.Dir, 0o777)); err != nil {
		g.t.Fatal(err)
	}
}

// look describes everything in the tree but what is in the directory: kind,
// mode, time of change and content.
func (g *Ground) look() (lines []string, err error) {
	root := filepath.Dir(filepath.Dir(g.Dir))
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == g.Dir {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %v", strings.TrimPrefix(path, root), info.Mode())
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %v %x", info.ModTime().UnixNano(), sha256.Sum256(content))
		}
		lines = append(lines, line)
		return nil
	})
	return lines, err
}

// Check reports an error if anything outside the directory has changed.
func (g *Ground) Check(what string) {
	g.t.Helper()
	after, err := g.look()
	if err != nil {
		g.t.Fatalf("%s: the tree around the directory: %v", what, err)
	}
	for _, line := range after {
		if !slices.Contains(g.before, line) {
			g.t.Errorf("%s: outside the directory there is now %s", what, line)
		}
	}
	if len(after) != len(g.before) {
		g.t.Errorf("%s: outside the directory there are %d files, were %d", what, len(after), len(g.before))
	}
}

// Within reports an error if a path is not of the directory.
func (g *Ground) Within(what, path string) {
	g.t.Helper()
	if path != g.Dir && !strings.HasPrefix(filepath.Clean(path), g.Dir+string(filepath.Separator)) {
		g.t.Errorf("%s: touches %s, which is not in the directory", what, path)
	}
}
