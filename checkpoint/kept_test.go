package checkpoint

import (
	"context"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
	"github.com/ckpt-dev/ckpt/trackable"
)

// keeping is a Dir whose files count what they need not copy.
type keeping struct {
	storage.Dir
	aligned, other int
}

func (k *keeping) Create(ctx context.Context, name string) (storage.Pending, error) {
	p, err := k.Dir.Create(ctx, name)
	return &keepingFile{Pending: p, k: k}, err
}

type keepingFile struct {
	storage.Pending
	k  *keeping
	at int
}

func (f *keepingFile) Write(b []byte) (int, error) {
	f.at += len(b)
	return f.Pending.Write(b)
}

func (f *keepingFile) WriteKept(b []byte) (int, error) {
	if (int(uintptr(unsafe.Pointer(unsafe.SliceData(b))))-f.at)%4096 == 0 {
		f.k.aligned += len(b)
	} else {
		f.k.other += len(b)
	}
	return f.Write(b)
}

// TestASnapshotLiesInMemoryAsInItsFile, strings between its tensors or not, so that
// a disk can take it from there; what it leaves in the objects does not.
func TestASnapshotLiesInMemoryAsInItsFile(t *testing.T) {
	const bytes = 3 * 100_000 * 4
	for _, c := range []struct {
		what string
		o    Options
		want int
	}{
		{"all is copied", Options{}, bytes},
		{"there is a limit", Options{SnapshotMemory: 1 << 30}, bytes},
		{"one is frozen", Options{Frozen: func(name string) bool { return name == "b/.ATTRIBUTES/VARIABLE_VALUE" }}, bytes / 3 * 2},
		{"nothing is copied", Options{SnapshotMemory: 1}, 0},
	} {
		words := trackable.State(rand.NewPCG(1, 2))
		objects := Objects{"a": variable(make([]float32, 100_000)...), "aa": words, "b": variable(make([]float32, 100_000)...), "c": variable(make([]float32, 100_000)...)}
		d := &keeping{Dir: mem.Dir()}
		m := newManager(t, New(nil, objects, &c.o), d, &ManagerOptions{Async: &Async{}})
		for range 2 {
			d.aligned, d.other = 0, 0
			mustSave(t, m, nil)
			mustSync(t, m)
			if rest := d.aligned - c.want; d.other != 0 || rest < 0 || rest > 8 { // and the save counter
				t.Errorf("%s: %d bytes lie as in the file, %d kept ones do not, want %d", c.what, d.aligned, d.other, c.want)
			}
		}
	}
}
