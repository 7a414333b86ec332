package local_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/storagetest"
)

func TestPromisesOnAStrictFileSystem(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Dir { return local.DirOn(vfstest.NewStrict(nil), "/runs/model") })
}

// A durable is one call whose effect is to survive, and what was before it.
type durable struct {
	name   string
	before map[string]string
	call   func(ctx context.Context, d storage.Dir) error
	after  map[string]string // what is to be there when it has returned
	// order: of the files of "a then b" none is changed unless all before are
	order []string
}

var (
	oldText, newText = strings.Repeat("old", 3000), strings.Repeat("new", 3000)

	durables = []durable{
		{"WriteFile", nil, func(ctx context.Context, d storage.Dir) error {
			return storage.WriteFile(ctx, d, "deep/er/a", []byte(newText))
		}, map[string]string{"deep/er/a": newText}, nil},
		{"WriteFile over a file", map[string]string{"a": oldText}, func(ctx context.Context, d storage.Dir) error {
			return storage.WriteFile(ctx, d, "a", []byte(newText))
		}, map[string]string{"a": newText}, nil},
		{"WriteNew", nil, func(ctx context.Context, d storage.Dir) error {
			return storage.WriteNew(ctx, d, "in/token", []byte(newText))
		}, map[string]string{"in/token": newText}, nil},
		{"CommitAll", map[string]string{"data": oldText}, func(ctx context.Context, d storage.Dir) error {
			return commitWaves(ctx, d, [][]string{{"data", "in/receipt"}, {"index"}, {"state"}})
		}, map[string]string{"data": "new", "in/receipt": "new", "index": "new", "state": "new"},
			[]string{"data in/receipt", "index", "state"}},
		{"RemoveAll", map[string]string{"index": oldText, "in/index": oldText, "data": oldText, "last": oldText}, func(ctx context.Context, d storage.Dir) error {
			return storage.RemoveAll(ctx, d, []string{"index", "in/index"}, []string{"data"}, []string{"last"})
		}, nil, []string{"index in/index", "data", "last"}},
		{"Link", map[string]string{"a": oldText}, func(ctx context.Context, d storage.Dir) error {
			return storage.Link(ctx, d, "a", "second/b")
		}, map[string]string{"a": oldText, "second/b": oldText}, nil},
		{"Share", map[string]string{"data-1": oldText}, func(ctx context.Context, d storage.Dir) error {
			return shareOf(ctx, d, "data-1", [][]string{{"in/data-2", "head-2"}, {"index-2"}})
		}, map[string]string{"data-1": oldText, "in/data-2": oldText, "head-2": "new", "index-2": "new"},
			[]string{"in/data-2 head-2", "index-2"}},
		{"Share over a file, and the first name is removed", map[string]string{"a": oldText, "b": newText}, func(ctx context.Context, d storage.Dir) error {
			p, err := storage.Share(ctx, d, "a", "b")
			if err == nil {
				err = d.Remove(ctx, "a")
			}
			if err == nil {
				err = p.Commit()
			}
			return err
		}, map[string]string{"b": oldText}, nil},
		{"Share of a file as itself", map[string]string{"data": oldText}, func(ctx context.Context, d storage.Dir) error {
			return shareOf(ctx, d, "data", [][]string{{"data"}})
		}, map[string]string{"data": oldText}, nil},
	}
)

// TestPowerCutsInCallsOfADirectory cuts the power after each operation of each
// call: its files are old or new, whole, and in the order of their waves; and
// when it has returned, new.
//
// Proves D1, D2.
func TestPowerCutsInCallsOfADirectory(t *testing.T) {
	for _, c := range durables {
		t.Run(c.name, func(t *testing.T) {
			disk := vfstest.NewStrict(nil)
			d := local.DirOn(disk, "/runs/model")
			for name, text := range c.before {
				if err := storage.WriteFile(t.Context(), d, name, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			tried := 0
			disk.Watch(func(op vfstest.Op, s *vfstest.Strict) { tried += c.cut(t, op.String(), s, false) })
			if err := c.call(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			tried += c.cut(t, "the return", disk, true)
			torture.Count(t, "crash states", tried)
		})
	}
}

func (c *durable) cut(t *testing.T, after string, s *vfstest.Strict, done bool) (tried int) {
	for cut := range s.Cuts(torture.Times(32, 500)/torture.Thin(8), 1) {
		tried++
		d := local.DirOn(s.Crash(cut), "/runs/model")
		for _, wrong := range c.check(t, d, done) {
			t.Errorf("power cut %q after %s: %s; not flushed: %v", cut.Name, after, wrong, s.Pending())
		}
		if t.Failed() {
			return tried
		}
	}
	return tried
}

func (c *durable) check(t *testing.T, d storage.Dir, done bool) (wrong []string) {
	got := func(name string) string {
		b, err := storage.ReadFile(t.Context(), d, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			wrong = append(wrong, err.Error())
		}
		return string(b)
	}
	for name, want := range c.after {
		if text := got(name); text != want && (done || text != c.before[name]) {
			wrong = append(wrong, fmt.Sprintf("%s holds %d bytes, which are neither old nor new", name, len(text)))
		}
	}
	changed := true // all files of all waves before
	for _, wave := range c.order {
		all := true
		for name := range strings.SplitSeq(wave, " ") {
			is := got(name) != c.before[name]
			if all = all && is; is && !changed {
				wrong = append(wrong, name+" is changed before all of an earlier wave are")
			}
		}
		changed = changed && all
	}
	return wrong
}

// TestADirectoryOfAKilledProcessIsFlushed: the process before was killed after
// it had made the directory, and before it could flush its name.
//
// Proves D1.
func TestADirectoryOfAKilledProcessIsFlushed(t *testing.T) {
	for _, last := range []string{"mkdir /runs", "mkdir /runs/model", "mkdir /runs/model/in"} {
		var killed *vfstest.Strict
		disk := vfstest.NewStrict(nil)
		disk.Watch(func(op vfstest.Op, s *vfstest.Strict) {
			if op.String() == last {
				killed = s
			}
		})
		write := func(disk *vfstest.Strict) {
			t.Helper()
			if err := storage.WriteFile(t.Context(), local.DirOn(disk, "/runs/model"), "in/a", []byte("text")); err != nil {
				t.Fatal(err)
			}
		}
		write(disk)
		write(killed)
		wantContent(t, local.DirOn(killed.Crash(vfstest.LoseAll()), "/runs/model"), "in/a", "text")
	}
}

// TestPowerCutsInAGrowingFile: its name is durable from the beginning, and what
// was flushed is; of the rest any part may be missing.
//
// Proves D1.
func TestPowerCutsInAGrowingFile(t *testing.T) {
	disk := vfstest.NewStrict(nil)
	g, err := storage.Append(t.Context(), local.DirOn(disk, "/runs/model"), "events")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	want := func(flushed string) {
		t.Helper()
		for cut := range disk.Cuts(torture.Times(32, 500)/torture.Thin(8), 1) {
			tried++
			text, err := storage.ReadFile(t.Context(), local.DirOn(disk.Crash(cut), "/runs/model"), "events")
			if err != nil || !strings.HasPrefix(string(text), flushed) {
				t.Errorf("power cut %q leaves %q, %v, want it to begin with %q", cut.Name, text, err, flushed)
			}
		}
	}
	want("")
	for _, step := range []struct {
		do      func() error
		flushed string
	}{
		{func() error { _, err := g.Write([]byte("one")); return err }, ""},
		{g.Sync, "one"},
		{func() error { _, err := g.Write([]byte("two")); return err }, "one"},
		{g.Close, "onetwo"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		want(step.flushed)
	}
	torture.Count(t, "crash states", tried)
}
