package storagetest

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

var nameCases = []testCase{
	{"any printable character is itself", printableNames},
	{"a pattern removes only itself", patternsAreNames},
	{"names may lie in directories", nestedNames},
	{"long names are names", longNames},
	{"invalid names are refused", invalidNames},
	{"what is missing is ErrNotExist", missingNames},
}

// oddNames has each printable ASCII character but the slash, alone where that
// is a valid name and in company, and what file systems may find hard.
func oddNames() []string {
	names := []string{
		"*", "?", "[a-c]", "[]", "{a,b}", "~", "-", "--", "...", "..a", "a..", ".hidden", " ", " a", "a ", "a b",
		"$HOME", "%s", "%2e%2e", "a:b", "a\\b", "'", "\"", "`", "ckpt-*", "ckpt-?", "a+b=c&d", "#a", "a#b?c",
		"grüße", "日本語", "\u0301", "e\u0301", "\u00e9x", "😀", "\t", "a\nb",
	}
	for c := byte('!'); c <= '~'; c++ {
		if c != '/' {
			names = append(names, "printable "+string(c)+".x")
		}
	}
	slices.Sort(names)
	return names
}

func printableNames(t *testing.T, d storage.Dir) {
	names := oddNames()
	var wave []storage.Pending
	for _, name := range names {
		wave = append(wave, create(t, d, name, "content of "+name))
	}
	must(t, storage.CommitAll(t.Context(), d, wave))
	wantList(t, d, "", names...)
	for i, name := range names {
		wantFile(t, d, name, "content of "+name)
		got, err := list(t.Context(), d, name)
		must(t, err)
		if len(got) == 0 || got[0] != name {
			t.Errorf("List(%q) = %q, want it to begin with the name itself", name, got)
		}
		must(t, d.Remove(t.Context(), name))
		if i%20 == 0 {
			wantList(t, d, "", names[i+1:]...)
		}
	}
	wantList(t, d, "")
}

func patternsAreNames(t *testing.T, d storage.Dir) {
	for _, name := range []string{"a", "b", "ab", "sub/a"} {
		write(t, d, name, name)
	}
	patterns := []string{"*", "?", "[ab]", "a*", "sub/*", "**", "{a,b}", "a|b"}
	for _, pattern := range patterns {
		wantMissing(t, d, pattern)
		wantPathError(t, "Remove "+pattern, d.Remove(t.Context(), pattern), fs.ErrNotExist)
		wantList(t, d, pattern)
	}
	must(t, storage.RemoveAll(t.Context(), d, patterns))
	wantList(t, d, "", "a", "ab", "b", "sub/a")
}

func nestedNames(t *testing.T, d storage.Dir) {
	names := []string{"a/b/c", "a/b/d", "a/e", "f [*]/g h"}
	for _, name := range names {
		write(t, d, name, name)
	}
	wantList(t, d, "", names...)
	wantFile(t, d, "f [*]/g h", "f [*]/g h")
	sub := storage.Sub(d, "a/b")
	wantList(t, sub, "", "c", "d")
	wantFile(t, sub, "c", "a/b/c")
	write(t, sub, "x/y", "z")
	wantFile(t, d, "a/b/x/y", "z")
	wantMissing(t, d, "x/y", "c")
	for _, directory := range []string{"a", "a/b"} {
		if _, err := d.Open(t.Context(), directory); err == nil {
			t.Errorf("Open(%q) is no error, but it is a directory", directory)
		}
		if err := d.Remove(t.Context(), directory); err == nil {
			t.Errorf("Remove(%q) is no error, but it is a directory", directory)
		}
	}
	wantFile(t, d, "a/b/c", "a/b/c")
}

func longNames(t *testing.T, d storage.Dir) {
	name := strings.Repeat("d", 255) + "/" + strings.Repeat("n", 255)
	write(t, d, name, "long")
	wantFile(t, d, name, "long")
	wantList(t, d, "d", name)
}

func invalidNames(t *testing.T, d storage.Dir) {
	write(t, d, "a", "kept")
	ctx := t.Context()
	inside := storage.Sub(d, "sub")
	for _, name := range []string{
		"", ".", "..", "/", "/a", "a/", "a//b", "./a", "../a", "a/../b", "a/./b", "a/..", "../../etc/passwd", "a\x00b", "a\xffb",
	} {
		for _, dir := range []storage.Dir{d, inside} {
			_, err := dir.Open(ctx, name)
			wantPathError(t, "Open "+name, err, fs.ErrInvalid)
			_, err = dir.Create(ctx, name)
			wantPathError(t, "Create "+name, err, fs.ErrInvalid)
			wantPathError(t, "Remove "+name, dir.Remove(ctx, name), fs.ErrInvalid)
			wantPathError(t, "RemoveAll "+name, storage.RemoveAll(ctx, dir, []string{name}), fs.ErrInvalid)
			wantPathError(t, "Link "+name, storage.Link(ctx, dir, name, "x"), fs.ErrInvalid)
		}
		_, err := storage.Sub(d, name).Open(ctx, "a")
		if name != "." {
			wantPathError(t, "Open in "+name, err, fs.ErrInvalid)
		}
	}
	wantList(t, d, "../")
	wantList(t, d, "/")
	wantList(t, d, "", "a")
}

func missingNames(t *testing.T, d storage.Dir) {
	write(t, d, "sub/a", "")
	for _, name := range []string{"a", "sub/b", "no/such/file"} {
		wantMissing(t, d, name)
		wantPathError(t, "Remove "+name, d.Remove(t.Context(), name), fs.ErrNotExist)
		_, err := storage.ReadFile(t.Context(), d, name)
		wantPathError(t, "ReadFile "+name, err, fs.ErrNotExist)
	}
	wantList(t, d, "no/such/")
}
