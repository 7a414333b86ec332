package doctor_test

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"strings"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// unlisted is a Dir that cannot be listed.
type unlisted struct{ storage.Dir }

func (unlisted) List(context.Context, string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) { yield(storage.Info{}, syscall.EIO) }
}

func TestADirectoryThatCannotBeListedIsNotJudged(t *testing.T) {
	f := newFolder(t, 1)
	if r, err := doctor.Examine(t.Context(), unlisted{f.Dir}, nil); !errors.Is(err, syscall.EIO) {
		t.Errorf("Examine() = %+v, %v, want %v", r, err, syscall.EIO)
	}
	if r, err := doctor.Examine(t.Context(), local.Dir(f.at("missing")), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Examine() of no directory = %+v, %v, want %v", r, err, fs.ErrNotExist)
	}
}

// unreadable is a Dir of which some files cannot be read, wherever their names
// contain one of the words.
type unreadable struct {
	storage.Dir
	words []string
}

func (u unreadable) Open(ctx context.Context, name string) (storage.File, error) {
	for _, word := range u.words {
		if strings.Contains(name, word) {
			return nil, &fs.PathError{Op: "open", Path: "/mnt/run/" + name, Err: syscall.EIO}
		}
	}
	return u.Dir.Open(ctx, name)
}

func (u unreadable) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, u.Dir, name)
}

// TestWhatCannotBeReadIsAFinding, and the rest is examined all the same. What it
// might forbid is not done: nothing is removed, and no state file written.
//
// Proves D22.
func TestWhatCannotBeReadIsAFinding(t *testing.T) {
	for _, test := range []struct{ words, found string }{
		{"ckpt-3.index", "half-removed orphaned-receipt unreadable"},
		{"ckpt-2.data", "half-removed orphaned-receipt unreadable"},
		{"ckpt-2.receipt", "half-removed orphaned-receipt unreadable"},
		{"ckpt-1.receipt", "orphaned-receipt unreadable"},
		{"checkpoint", "half-removed orphaned-receipt unreadable"},
		{"ckpt-2@X", "half-removed orphaned-receipt unreadable"},
		{"ckpt-3.index checkpoint", "half-removed orphaned-receipt unreadable unreadable"},
	} {
		t.Run(test.words, func(t *testing.T) {
			f := newFolder(t, 3)
			f.remove("ckpt-1.index")
			f.must(checkpoint.WriteReceipt(t.Context(), f.Dir, "ckpt-0", checkpoint.Receipt{Path: "ckpt-0"}))
			f.age()
			f.write(".ckpt.leases/ckpt-2@X.json", `{"schema":1,"path":"ckpt-2","holder":"me","expires":"2999-01-01T00:00:00Z"}`)
			before := f.all()
			r, err := doctor.Examine(t.Context(), unreadable{f.Dir, strings.Fields(test.words)}, doctor.Impatient(nil))
			f.must(err)
			wantKinds(t, "findings", r.Findings, strings.Fields(test.found)...)
			for _, g := range r.Findings {
				if g.Kind == doctor.Unreadable && (!errors.Is(g.Err, syscall.EIO) || !strings.Contains(g.Files[0], strings.Fields(test.words)[0]) && len(strings.Fields(test.words)) == 1) {
					t.Errorf("unreadable are %q: %v, want %s: %v", g.Files, g.Err, test.words, syscall.EIO)
				}
			}
			after, err := r.Fix(t.Context(), &doctor.FixOptions{State: true})
			f.must(err)
			wantKinds(t, "mended", after.Mended)
			if !maps.Equal(f.all(), before) {
				t.Errorf("Fix has changed the directory")
			}
		})
	}
}
