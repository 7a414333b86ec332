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
