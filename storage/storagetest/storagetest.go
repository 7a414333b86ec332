// Package storagetest tests that a storage.Dir keeps the five promises of
// package storage. The subtests carry the promises' numbers.
package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

// Run tests the Dir that newDir makes: a new, empty one at each call. Run it
// under the race detector.
func Run(t *testing.T, newDir func(t *testing.T) storage.Dir) {
	promises := []struct {
		name  string
		cases []testCase
	}{
		{"1 unseen then complete then unchanging", slices.Concat(unseenCases, unseenShareCases)},
		{"2 durable and in order", slices.Concat(durableCases, durableShareCases)},
		{"3 commit replaces atomically", slices.Concat(replaceCases, replaceShareCases)},
		{"4 names are literal", slices.Concat(nameCases, nameShareCases)},
		{"5 list is complete", slices.Concat(listCases, listShareCases)},
		{"growing files", growCases},
		{"contexts are obeyed", slices.Concat(contextCases, contextShareCases)},
	}
	for _, p := range promises {
		t.Run(p.name, func(t *testing.T) {
			for _, c := range p.cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, newDir(t)) })
			}
		})
	}
}

type testCase struct {
	name string
	run  func(t *testing.T, d storage.Dir)
}

// must ends the test if err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, d storage.Dir, name string, pieces ...string) storage.Pending {
	t.Helper()
	p, err := d.Create(t.Context(), name)
	must(t, err)
	for _, piece := range pieces {
		n, err := p.Write([]byte(piece))
		if err != nil || n != len(piece) {
			t.Fatalf("Write(%d bytes) to %q = %d, %v", len(piece), name, n, err)
		}
	}
	return p
}

func write(t *testing.T, d storage.Dir, name, content string) {
	t.Helper()
	must(t, storage.WriteFile(t.Context(), d, name, []byte(content)))
}

func open(t *testing.T, d storage.Dir, name string) storage.File {
	t.Helper()
	f, err := d.Open(t.Context(), name)
	must(t, err)
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Close of %q: %v", name, err)
		}
	})
	return f
}

// wantFile checks content without printing it: it may be large.
func wantFile(t *testing.T, d storage.Dir, name, want string) {
	t.Helper()
	got, err := storage.ReadFile(t.Context(), d, name)
	if err != nil {
		t.Errorf("ReadFile(%q): %v", name, err)
	} else if !bytes.Equal(got, []byte(want)) {
		t.Errorf("ReadFile(%q) = %d bytes %.40q, want %d bytes %.40q", name, len(got), got, len(want), want)
	}
}

func wantMissing(t *testing.T, d storage.Dir, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := d.Open(t.Context(), name)
		wantPathError(t, "Open "+name, err, fs.ErrNotExist)
	}
}

func wantPathError(t *testing.T, what string, err, target error) {
	t.Helper()
	var pe *fs.PathError
	if !errors.As(err, &pe) || !errors.Is(err, target) {
		t.Errorf("%q: error is %v, want a *fs.PathError that wraps %q", what, err, target)
	}
}

func list(ctx context.Context, d storage.Dir, prefix string) (names []string, err error) {
	for info, err := range d.List(ctx, prefix) {
		if err != nil {
			return names, err
		}
		names = append(names, info.Name)
	}
	return names, nil
}

func wantList(t *testing.T, d storage.Dir, prefix string, want ...string) {
	t.Helper()
	got, err := list(t.Context(), d, prefix)
	if err != nil {
		t.Errorf("List(%q): %v", prefix, err)
	} else if !slices.Equal(got, want) {
		t.Errorf("List(%q) = %q, want %q", prefix, got, want)
	}
}
