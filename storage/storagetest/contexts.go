package storagetest

import (
	"context"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
)

var contextCases = []testCase{
	{"every call returns the context's own error", cancelledCalls},
	{"a File obeys the context of its Open", cancelledFile},
	{"a Pending obeys the context of its Create", cancelledPending},
	{"CommitAll obeys its own context", cancelledCommitAll},
	{"a listing ends with the context", cancelledList},
}

func cancelledContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// wantCanceled compares with ==: the error is passed through as it is.
func wantCanceled(t *testing.T, what string, err error) {
	t.Helper()
	if err != context.Canceled {
		t.Errorf("%s = %v, want %v itself", what, err, context.Canceled)
	}
}

func cancelledCalls(t *testing.T, d storage.Dir) {
	write(t, d, "a", "kept")
	ctx := cancelledContext(t)
	_, err := d.Open(ctx, "a")
	wantCanceled(t, "Open", err)
	_, err = d.Create(ctx, "a")
	wantCanceled(t, "Create", err)
	wantCanceled(t, "Remove", d.Remove(ctx, "a"))
	wantCanceled(t, "RemoveAll", storage.RemoveAll(ctx, d, []string{"a"}))
	wantCanceled(t, "Link", storage.Link(ctx, d, "a", "b"))
	_, err = storage.ReadFile(ctx, d, "a")
	wantCanceled(t, "ReadFile", err)
	wantCanceled(t, "WriteFile", storage.WriteFile(ctx, d, "a", []byte("new")))
	_, err = list(ctx, d, "")
	wantCanceled(t, "List", err)
	wantFile(t, d, "a", "kept")
	wantList(t, d, "", "a")
}

func cancelledFile(t *testing.T, d storage.Dir) {
	write(t, d, "a", "content")
	ctx, cancel := context.WithCancel(t.Context())
	f, err := d.Open(ctx, "a")
	must(t, err)
	b := make([]byte, 3)
	_, err = f.ReadAt(b, 0)
	must(t, err)
	cancel()
	_, err = f.ReadAt(b, 0)
	wantCanceled(t, "ReadAt", err)
	must(t, f.Close())
}

func cancelledPending(t *testing.T, d storage.Dir) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := d.Create(ctx, "a")
	must(t, err)
	cancel()
	_, err = p.Write([]byte("x"))
	wantCanceled(t, "Write", err)
	wantCanceled(t, "Commit", p.Commit())
	must(t, p.Discard())
	wantList(t, d, "")
}

func cancelledCommitAll(t *testing.T, d storage.Dir) {
	p := create(t, d, "a", "x")
	wantCanceled(t, "CommitAll", storage.CommitAll(cancelledContext(t), d, []storage.Pending{p}))
	must(t, p.Discard())
	wantMissing(t, d, "a")
}

func cancelledList(t *testing.T, d storage.Dir) {
	for _, name := range []string{"a", "b", "sub/c"} {
		write(t, d, name, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	for _, err := range d.List(ctx, "") {
		if seen++; seen == 1 {
			must(t, err)
			cancel()
			continue
		}
		wantCanceled(t, "List", err)
	}
	if seen != 2 {
		t.Errorf("List yielded %d times, want one file and the error", seen)
	}
}
