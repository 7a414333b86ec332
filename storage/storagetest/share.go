package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

var (
	unseenShareCases = []testCase{
		{"a shared file is seen after Commit only, and has the bytes of its Share", sharedAfterCommit},
		{"Discard of a shared file leaves the other name", sharedDiscard},
		{"nothing is written to a shared file", sharedWrite},
	}
	durableShareCases = []testCase{{"CommitAll commits shared files in their waves", sharedWaves}}
	replaceShareCases = []testCase{
		{"a shared file replaces what is there, itself too", sharedReplaces},
		{"readers of a name see the old file or the shared one", sharedOrOld},
	}
	nameShareCases    = []testCase{{"names that are shared are literal and in the Dir", sharedNames}}
	listShareCases    = []testCase{{"names of one file are listed once each", sharedList}}
	contextShareCases = []testCase{{"a shared Pending obeys the context of its Share", sharedContext}}
)

// share begins a shared file, or returns nil where there are none, which a
// place says in the one way.
func share(t *testing.T, d storage.Dir, oldname, newname string) storage.Pending {
	t.Helper()
	p, err := storage.Share(t.Context(), d, oldname, newname)
	if errors.Is(err, errors.ErrUnsupported) {
		wantPathError(t, "Share "+oldname, err, errors.ErrUnsupported)
		return nil
	}
	must(t, err)
	return p
}

func sharedAfterCommit(t *testing.T, d storage.Dir) {
	large := strings.Repeat("old", 1<<20)
	for _, old := range []string{"", "old", large} {
		write(t, d, "a", old)
		first, second := share(t, d, "a", "sub/b"), share(t, d, "a", "c")
		if first == nil || second == nil {
			return
		}
		wantMissing(t, d, "sub/b", "c")
		wantList(t, d, "", "a")
		write(t, d, "a", "replaced")
		must(t, first.Commit())
		must(t, d.Remove(t.Context(), "a"))
		must(t, second.Commit())
		wantFile(t, d, "sub/b", old)
		wantFile(t, d, "c", old)
		wantMissing(t, d, "a")
		must(t, storage.RemoveAll(t.Context(), d, []string{"sub/b"}))
		wantFile(t, d, "c", old)
		must(t, d.Remove(t.Context(), "c"))
	}
}

func sharedDiscard(t *testing.T, d storage.Dir) {
	write(t, d, "a", "old")
	p := share(t, d, "a", "b")
	if p == nil {
		return
	}
	must(t, p.Discard())
	must(t, p.Discard())
	wantPathError(t, "Commit after Discard", p.Commit(), fs.ErrClosed)
	wantList(t, d, "", "a")
	wantFile(t, d, "a", "old")
	p = share(t, d, "a", "b")
	must(t, p.Commit())
	wantPathError(t, "Commit again", p.Commit(), fs.ErrClosed)
	must(t, p.Discard())
	wantFile(t, d, "b", "old")
}

func sharedWrite(t *testing.T, d storage.Dir) {
	write(t, d, "a", "old")
	p := share(t, d, "a", "b")
	if p == nil {
		return
	}
	if n, err := p.Write([]byte("new")); n != 0 || err == nil {
		t.Errorf("Write to a shared file = %d, %v, want an error", n, err)
	}
	must(t, p.Discard())
	wantFile(t, d, "a", "old")
	wantList(t, d, "", "a")
}

func sharedWaves(t *testing.T, d storage.Dir) {
	write(t, d, "data-1", "base")
	p := share(t, d, "data-1", "in/data-2")
	if p == nil {
		return
	}
	watch(t, func(ctx context.Context) error {
		if _, err := storage.ReadFile(ctx, d, "index-2"); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		got, err := storage.ReadFile(ctx, d, "in/data-2")
		if err == nil && string(got) != "base" {
			err = fmt.Errorf("the shared file holds %d bytes", len(got))
		}
		return err
	}, func() {
		must(t, storage.CommitAll(t.Context(), d,
			[]storage.Pending{wrapped{p}, create(t, d, "head-2", "head")}, []storage.Pending{create(t, d, "index-2", "index")}))
	})
	again := share(t, d, "in/data-2", "data-3")
	must(t, storage.CommitAll(t.Context(), d, []storage.Pending{again}))
	must(t, storage.RemoveAll(t.Context(), d, []string{"index-2"}, []string{"data-1", "in/data-2", "head-2"}))
	wantFile(t, d, "data-3", "base")
	wantList(t, d, "", "data-3")
}

func sharedReplaces(t *testing.T, d storage.Dir) {
	write(t, d, "a", "old")
	write(t, d, "b", "other")
	for _, newname := range []string{"b", "b", "a"} { // the second time it is the same file, and the third time the same name
		p := share(t, d, "a", newname)
		if p == nil {
			return
		}
		must(t, p.Commit())
		wantFile(t, d, "a", "old")
		wantFile(t, d, "b", "old")
		wantList(t, d, "", "a", "b")
	}
	if left, err := storage.Leftovers(t.Context(), d); err != nil || len(left) != 0 {
		t.Errorf("Leftovers = %v, %v, want none", left, err)
	}
	write(t, d, "a", "new")
	wantFile(t, d, "b", "old")
}

func sharedOrOld(t *testing.T, d storage.Dir) {
	contents := []string{strings.Repeat("a", 100), strings.Repeat("b", 200_000)}
	write(t, d, "0", contents[0])
	write(t, d, "1", contents[1])
	write(t, d, "state", contents[0])
	if p := share(t, d, "1", "state"); p == nil {
		return
	} else {
		must(t, p.Discard())
	}
	watch(t, func(ctx context.Context) error {
		got, err := storage.ReadFile(ctx, d, "state")
		if s := string(got); err == nil && s != contents[0] && s != contents[1] {
			err = fmt.Errorf("a mixture of %d bytes", len(got))
		}
		return err
	}, func() {
		for i := range 20 {
			must(t, share(t, d, fmt.Sprint((i+1)%2), "state").Commit())
		}
	})
}

func sharedNames(t *testing.T, d storage.Dir) {
	write(t, d, "a [*]", "odd")
	write(t, d, "sub/below", "x")
	p := share(t, d, "a [*]", "b ? {x}")
	if p == nil {
		return
	}
	must(t, p.Commit())
	wantFile(t, d, "b ? {x}", "odd")
	for _, name := range []string{"", "..", "../a", "/a", "a/", "a//b", "a\x00b"} {
		_, err := storage.Share(t.Context(), d, name, "c")
		wantPathError(t, "Share of "+name, err, fs.ErrInvalid)
		_, err = storage.Share(t.Context(), d, "a [*]", name)
		wantPathError(t, "Share as "+name, err, fs.ErrInvalid)
		_, err = storage.Share(t.Context(), storage.Sub(d, "sub"), name, "c")
		wantPathError(t, "Share below of "+name, err, fs.ErrInvalid)
	}
	for _, name := range []string{"a *", "sub/no", "no/such/file"} {
		_, err := storage.Share(t.Context(), d, name, "c")
		wantPathError(t, "Share of "+name, err, fs.ErrNotExist)
	}
	if _, err := storage.Share(t.Context(), d, "sub", "c"); err == nil {
		t.Error("Share of a directory is no error")
	}
	wantList(t, d, "", "a [*]", "b ? {x}", "sub/below")
}

func sharedList(t *testing.T, d storage.Dir) {
	write(t, d, "m", "12345")
	for _, name := range []string{"z", "a", "sub/x"} {
		p := share(t, d, "m", name)
		if p == nil {
			return
		}
		wantList(t, d, name)
		must(t, p.Commit())
	}
	wantList(t, d, "", "a", "m", "sub/x", "z")
	var first storage.Info // a
	for info, err := range d.List(t.Context(), "") {
		must(t, err)
		if info.Name == "a" {
			first = info
		}
		if info.Size != 5 || info.ID != first.ID || !info.ModTime.Equal(first.ModTime) {
			t.Errorf("%s is listed as %+v, want 5 bytes and all else as %+v", info.Name, info, first)
		}
	}
}

func sharedContext(t *testing.T, d storage.Dir) {
	write(t, d, "a", "old")
	p := share(t, d, "a", "probe")
	if p == nil {
		return
	}
	must(t, p.Discard())
	_, err := storage.Share(cancelledContext(t), d, "a", "b")
	wantCanceled(t, "Share", err)
	ctx, cancel := context.WithCancel(t.Context())
	p, err = storage.Share(ctx, d, "a", "b")
	must(t, err)
	cancel()
	wantCanceled(t, "Commit", p.Commit())
	must(t, p.Discard())
	wantList(t, d, "", "a")
}
