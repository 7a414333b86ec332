package dirlock

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

var errUnlisted = errors.New("cannot be listed")

// unlisted is a place that cannot be listed.
type unlisted struct{ storage.Dir }

func (d unlisted) List(context.Context, string) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) { yield(storage.Info{}, errUnlisted) }
}

func (d unlisted) Lock(ctx context.Context, name string) (storage.Held, error) {
	return storage.Lock(ctx, d.Dir, name)
}

// TestALockIsGivenUpWithItsLease: the lock beside a lease, and the lock for
// which it could not be seen whether it needs one.
func TestALockIsGivenUpWithItsLease(t *testing.T) {
	for name, test := range map[string]struct {
		place func(storage.Dir) storage.Dir
		want  error
	}{
		"beside a lease": {func(d storage.Dir) storage.Dir { return d }, nil},
		"unlisted":       {func(d storage.Dir) storage.Dir { return unlisted{d} }, errUnlisted},
	} {
		var lines []string
		inner := mem.Dir()
		if err := storage.WriteFile(t.Context(), inner, Tokens+"/was", nil); err != nil {
			t.Fatal(err)
		}
		dir := test.place(storage.WithTrace(inner, func(line string) { lines = append(lines, line) }))
		if err := Exclusive(t.Context(), dir, func(storage.Dir) error { return nil }); !errors.Is(err, test.want) {
			t.Errorf("%s: Exclusive = %v, want %v", name, err, test.want)
		}
		if !slices.Contains(lines, "lock "+filename.State) || !slices.Contains(lines, "unlock "+filename.State) {
			t.Errorf("%s: Exclusive does %q, want it to lock and unlock %s", name, lines, filename.State)
		}
	}
}

// unlocking is a place without locks, but with what a lease needs.
type unlocking struct{ storage.Dir }

func (unlocking) Lock(context.Context, string) (storage.Held, error) {
	return nil, errors.ErrUnsupported
}

func (d unlocking) WriteNew(ctx context.Context, name string, data []byte) error {
	return storage.WriteNew(ctx, d.Dir, name, data)
}

// TestWhoLostItsLeaseChangesNothing: the Dir that is given to who has a lock is
// under its lease. Proves D27.
func TestWhoLostItsLeaseChangesNothing(t *testing.T) {
	patiently := func(ctx context.Context, dir storage.Dir, do func(storage.Dir) error) error {
		return BetweenSweeps(ctx, dir, PinPatience, do)
	}
	for lock, guarded := range map[string]func(context.Context, storage.Dir, func(storage.Dir) error) error{"checkpoint": Exclusive, "removal": patiently} {
		for place, of := range map[string]func(storage.Dir) storage.Dir{
			"no locks": func(d storage.Dir) storage.Dir { return unlocking{d} }, "locks": func(d storage.Dir) storage.Dir { return d },
		} {
			dir := mem.Dir()
			for _, name := range []string{"ckpt-1.index", Tokens + "/was"} {
				if err := storage.WriteFile(t.Context(), dir, name, nil); err != nil {
					t.Fatal(err)
				}
			}
			err := guarded(t.Context(), of(dir), func(mine storage.Dir) error {
				if err := storage.WriteFile(t.Context(), dir, Tokens+"/"+lock+"@2.json", []byte("{}")); err != nil {
					t.Fatal(err)
				}
				return mine.Remove(t.Context(), "ckpt-1.index")
			})
			if !errors.Is(err, storage.ErrFenced) {
				t.Errorf("%s, with %s: a removal after another has taken the lease = %v, want %v", lock, place, err, storage.ErrFenced)
			}
			if _, err := storage.ReadFile(t.Context(), dir, "ckpt-1.index"); err != nil {
				t.Errorf("%s, with %s: %v", lock, place, err)
			}
		}
	}
}
