package storage_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestTraceTellsEveryOperation(t *testing.T) {
	var lines []string
	ctx := t.Context()
	d := storage.WithTrace(mem.Dir(), func(line string) { lines = append(lines, line) })
	create := func(name string) storage.Pending {
		p, err := d.Create(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, d, "a", "content")
	p := create("b")
	must(p.Discard())
	must(p.Discard())
	data, index := create("data"), create("index")
	must(storage.CommitAll(ctx, d, []storage.Pending{data, create("receipt")}, []storage.Pending{index}))
	must(index.Discard()) // nothing to do, nothing to tell
	c := create("c")
	must(c.Commit())
	must(c.Discard())
	must(d.Remove(ctx, "c"))
	must(storage.Link(ctx, d, "data", "data-2"))
	shared, err := storage.Share(ctx, d, "data", "data-3")
	must(err)
	must(storage.CommitAll(ctx, d, []storage.Pending{shared}))
	wantNames(t, d, "a", "data", "data-2", "data-3", "index", "receipt")
	_, err = storage.ReadFile(ctx, d, "a")
	must(err)
	must(storage.RemoveAll(ctx, d, []string{"index"}, []string{"data", "receipt"}))
	must(d.Remove(ctx, "a"))
	lock, err := storage.Lock(ctx, d, "writer")
	must(err)
	must(lock.Unlock())
	if _, err := storage.Append(ctx, d, "log"); err == nil { // files in memory do not grow
		t.Error("no error, want one")
	}
	// and what fails
	for _, err := range []error{d.Remove(ctx, "a"), p.Commit(), storage.Link(ctx, d, "a", "b"),
		storage.CommitAll(ctx, d, []storage.Pending{p})} {
		if err == nil {
			t.Error("no error, want one")
		}
	}
	if _, err := storage.Share(ctx, d, "a", "b"); err == nil {
		t.Error("no error, want one")
	}
	if _, err := d.Open(ctx, "../a"); err == nil {
		t.Error("no error, want one")
	}
	if _, err := d.Create(ctx, ""); err == nil {
		t.Error("no error, want one")
	}
	golden.Equal(t, "trace.txt", []byte(strings.Join(lines, "\n")+"\n"))
}

func wantNames(t *testing.T, d storage.Dir, want ...string) {
	t.Helper()
	var got []string
	for info, err := range d.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("List = %q, want %q", got, want)
	}
}
