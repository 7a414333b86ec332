package storage_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/storage/storagetest"
)

// plain hides what a Dir may offer besides, so that the helpers fall back.
type plain struct{ storage.Dir }

func TestPromisesOfWrappers(t *testing.T) {
	wrappers := map[string]func() storage.Dir{
		"a Dir without more": func() storage.Dir { return plain{mem.Dir()} },
		"Sub":                func() storage.Dir { return storage.Sub(mem.Dir(), "a/b [x]") },
		"Sub of a plain Dir": func() storage.Dir { return storage.Sub(plain{mem.Dir()}, "s") },
		"Sub of Sub":         func() storage.Dir { return storage.Sub(storage.Sub(mem.Dir(), "a"), "b") },
		"Sub of a disk's":    func() storage.Dir { return storage.Sub(local.Dir(t.TempDir()), "s") },
		"WithTrace":          func() storage.Dir { return storage.WithTrace(mem.Dir(), func(string) {}) },
		"WithLease":          func() storage.Dir { return storage.WithLease(mem.Dir(), nil) },
		"WithTrace of Sub of WithTrace": func() storage.Dir {
			quiet := func(string) {}
			return storage.WithTrace(storage.Sub(storage.WithTrace(plain{mem.Dir()}, quiet), "s"), quiet)
		},
	}
	for name, newDir := range wrappers {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(*testing.T) storage.Dir { return newDir() })
		})
	}
}

func TestReadOnlyReadsAndChangesNothing(t *testing.T) {
	ctx, inner := t.Context(), mem.Dir()
	write(t, inner, "a", "content")
	d := storage.ReadOnly(inner)
	if got, err := storage.ReadFile(ctx, d, "a"); err != nil || string(got) != "content" {
		t.Errorf("ReadFile = %q, %v", got, err)
	}
	_, create := d.Create(ctx, "b")
	_, lock := storage.Lock(ctx, d, "writer")
	_, grow := storage.Append(ctx, d, "log")
	_, share := storage.Share(ctx, d, "a", "c")
	pending, err := inner.Create(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"create b":    create,
		"remove a":    d.Remove(ctx, "a"),
		"link c":      storage.Link(ctx, d, "a", "c"),
		"lock writer": lock,
		"share c":     share,
		"append log":  grow,
		"commit .":    storage.CommitAll(ctx, d, []storage.Pending{pending}),
	} {
		want += ": storage is opened read-only: permission denied"
		var pe *fs.PathError
		if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &pe) || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	if err := storage.RemoveAll(ctx, d, nil, []string{"a"}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("RemoveAll = %v, want %v", err, fs.ErrPermission)
	}
	if err := pending.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Commit after CommitAll was denied = %v, want %v", err, fs.ErrClosed)
	}
	wantNames(t, inner, "a")
}

func TestLockIsNotFaked(t *testing.T) {
	for _, d := range []storage.Dir{plain{mem.Dir()}, storage.Sub(plain{mem.Dir()}, "s")} {
		if _, err := storage.Lock(t.Context(), d, "writer"); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Lock = %v, want %v", err, errors.ErrUnsupported)
		}
	}
}

// short claims more than it has.
type short struct{ storage.Dir }

type shortFile struct{ storage.File }

func (shortFile) Size() int64 { return 1 << 50 }

func (s short) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := s.Dir.Open(ctx, name)
	return shortFile{f}, err
}

func TestReadFileTakesNoSizeOnTrust(t *testing.T) {
	d := mem.Dir()
	write(t, d, "a", "content")
	_, err := storage.ReadFile(t.Context(), short{d}, "a")
	var pe *fs.PathError
	if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &pe) || pe.Path != "a" {
		t.Errorf("ReadFile = %v, want %v about a", err, io.ErrUnexpectedEOF)
	}
}

// stubborn fails in Commit, and in Discard too.
type stubborn struct{ storage.Dir }

type stubbornPending struct{ storage.Pending }

var errCommit, errDiscard = errors.New("commit"), errors.New("discard")

func (stubbornPending) Commit() error  { return errCommit }
func (stubbornPending) Discard() error { return errDiscard }

func (s stubborn) Create(ctx context.Context, name string) (storage.Pending, error) {
	p, err := s.Dir.Create(ctx, name)
	return stubbornPending{p}, err
}

func TestWhatStaysBehindIsTold(t *testing.T) {
	d := stubborn{plain{mem.Dir()}}
	p, err := d.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"WriteFile": storage.WriteFile(t.Context(), d, "a", nil),
		"CommitAll": storage.CommitAll(t.Context(), d, []storage.Pending{p}),
	} {
		if !errors.Is(err, errCommit) || !errors.Is(err, errDiscard) {
			t.Errorf("%s = %v, want both errors", what, err)
		}
	}
}

func write(t *testing.T, d storage.Dir, name, content string) {
	t.Helper()
	if err := storage.WriteFile(t.Context(), d, name, []byte(content)); err != nil {
		t.Fatal(err)
	}
}
