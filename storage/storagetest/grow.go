package storagetest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

var growCases = []testCase{
	{"a growing file is seen at once and as far as it is written", seenGrowing},
	{"a File keeps the size it was opened with", keepsSize},
	{"Append leaves an existing file alone", appendExisting},
	{"a growing file ends with Close", endsWithClose},
	{"Append and Write obey their context", appendContext},
}

// grow begins a file, or returns nil where files do not grow, which a place
// says in the one way.
func grow(t *testing.T, d storage.Dir, name string) storage.Growing {
	t.Helper()
	g, err := storage.Append(t.Context(), d, name)
	if errors.Is(err, errors.ErrUnsupported) {
		wantPathError(t, "Append "+name, err, errors.ErrUnsupported)
		wantMissing(t, d, name)
		return nil
	}
	must(t, err)
	return g
}

func put(t *testing.T, g storage.Growing, content string) {
	t.Helper()
	n, err := g.Write([]byte(content))
	if err != nil || n != len(content) {
		t.Fatalf("Write(%q) = %d, %v", content, n, err)
	}
}

func seenGrowing(t *testing.T, d storage.Dir) {
	g := grow(t, d, "logs/a")
	if g == nil {
		return
	}
	wantList(t, d, "", "logs/a")
	wantFile(t, d, "logs/a", "")
	for _, content := range []string{"one", "onetwo", "onetwothree"} {
		f := open(t, d, "logs/a")
		put(t, g, content[f.Size():])
		wantFile(t, d, "logs/a", content)
		must(t, g.Sync())
	}
	must(t, g.Close())
	wantFile(t, d, "logs/a", "onetwothree")
	for info, err := range d.List(t.Context(), "logs/") {
		must(t, err)
		if info.Size != 11 {
			t.Errorf("listed with %d bytes, want 11", info.Size)
		}
	}
}

func keepsSize(t *testing.T, d storage.Dir) {
	g := grow(t, d, "a")
	if g == nil {
		return
	}
	put(t, g, "one")
	f := open(t, d, "a")
	put(t, g, "two")
	must(t, g.Close())
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil || string(data) != "one" {
		t.Errorf("a File opened before the file grew reads %q, %v, want %q", data, err, "one")
	}
}

func appendExisting(t *testing.T, d storage.Dir) {
	write(t, d, "a", "old")
	g, err := storage.Append(t.Context(), d, "a")
	if g != nil {
		t.Error("Append to an existing file gave a file")
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		wantPathError(t, "Append to an existing file", err, fs.ErrExist)
		_, err := storage.Append(t.Context(), d, "../a")
		wantPathError(t, "Append outside", err, fs.ErrInvalid)
	}
	wantFile(t, d, "a", "old")
}

func endsWithClose(t *testing.T, d storage.Dir) {
	g := grow(t, d, "a")
	if g == nil {
		return
	}
	put(t, g, "one")
	must(t, g.Close())
	wantPathError(t, "Close after Close", g.Close(), fs.ErrClosed)
	wantPathError(t, "Sync after Close", g.Sync(), fs.ErrClosed)
	_, err := g.Write([]byte("two"))
	wantPathError(t, "Write after Close", err, fs.ErrClosed)
	wantFile(t, d, "a", "one")
}

func appendContext(t *testing.T, d storage.Dir) {
	ctx, cancel := context.WithCancel(t.Context())
	g, err := storage.Append(ctx, d, "a")
	if errors.Is(err, errors.ErrUnsupported) {
		cancel()
		return
	}
	must(t, err)
	cancel()
	if _, err := g.Write([]byte("one")); err != context.Canceled {
		t.Errorf("Write = %v, want %v itself", err, context.Canceled)
	}
	if err := g.Close(); err != context.Canceled {
		t.Errorf("Close = %v, want %v itself", err, context.Canceled)
	}
	if _, err := storage.Append(ctx, d, "b"); err != context.Canceled {
		t.Errorf("Append = %v, want %v itself", err, context.Canceled)
	}
	wantMissing(t, d, "b")
}
