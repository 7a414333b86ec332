package doctor_test

import (
	"context"
	"io/fs"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/storage"
)

// badSector is a Dir with a file that opens, and whose first bytes cannot be
// read until another file has its name.
type badSector struct {
	storage.Dir
	name string
	good *atomic.Bool
}

func (b badSector) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := b.Dir.Open(ctx, name)
	if err != nil || name != b.name || b.good.Load() {
		return f, err
	}
	return badFile{f}, nil
}

func (b badSector) Create(ctx context.Context, name string) (storage.Pending, error) {
	p, err := b.Dir.Create(ctx, name)
	if err == nil && name == b.name {
		b.good.Store(true)
	}
	return p, err
}

func (b badSector) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, b.Dir, name)
}

type badFile struct{ storage.File }

func (b badFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 8 {
		return 0, &fs.PathError{Op: "read", Path: "x", Err: syscall.EIO}
	}
	return b.File.ReadAt(p, off)
}

// TestABadSectorIsMendedFromParity. Proves D23.
func TestABadSectorIsMendedFromParity(t *testing.T) {
	for _, name := range []string{"ckpt-2.data-00000-of-00001", "ckpt-2.index"} {
		f := newFolder(t, 0)
		trainParity(t, f.Dir, 2)
		f.age()
		was := f.read(name)
		dir := badSector{f.Dir, name, new(atomic.Bool)}
		r, err := doctor.Examine(t.Context(), dir, doctor.Impatient(&doctor.Options{Deep: true}))
		f.must(err)
		wantKinds(t, "findings", r.Findings, "unreadable")
		if g := r.Findings[0]; !g.Fixable || !strings.Contains(g.Fix, "again from parity") {
			t.Errorf("%s: finding %+v, want it fixable from parity", name, g)
		}
		after, err := r.Fix(t.Context(), nil)
		f.must(err)
		wantKinds(t, "mended", after.Mended, "unreadable")
		wantKinds(t, "left", after.Findings)
		if f.read(name) != was {
			t.Errorf("%s is not what it was", name)
		}
	}
}
