package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
)

// What a power cut leaves is beyond this suite (storage/local's own tests put
// a file system below it that forgets); the order that others see is not.
var durableCases = []testCase{
	{"CommitAll commits every wave", commitAllWaves},
	{"CommitAll shows no wave before the last one is complete", commitAllOrder},
	{"CommitAll that fails shows no later wave and leaves nothing pending", commitAllFails},
	{"CommitAll takes pendings that are wrapped", commitAllWrapped},
	{"RemoveAll passes over what is missing", removeAllMissing},
	{"RemoveAll removes in waves", removeAllOrder},
	{"Link is a second name", linkSecondName},
	{"Lock is shared within the process", lockShared},
	{"of those who make a new file one wins", newWins},
}

func commitAllWaves(t *testing.T, d storage.Dir) {
	waves := [][]storage.Pending{
		{create(t, d, "data-0", "d0"), create(t, d, "sub/data-1", "d1")},
		{},
		{create(t, d, "index", "i")},
		{create(t, d, "state", "s")},
	}
	wantList(t, d, "")
	must(t, storage.CommitAll(t.Context(), d, waves...))
	wantList(t, d, "", "data-0", "index", "state", "sub/data-1")
	wantFile(t, d, "sub/data-1", "d1")
	wantFile(t, d, "index", "i")
	for _, wave := range waves {
		for _, p := range wave {
			wantPathError(t, "Commit after CommitAll", p.Commit(), fs.ErrClosed)
			must(t, p.Discard())
		}
	}
	wantFile(t, d, "state", "s")
	must(t, storage.CommitAll(t.Context(), d))
}

func commitAllOrder(t *testing.T, d storage.Dir) {
	for round := range 10 {
		name := func(what string) string { return fmt.Sprintf("%s-%d", what, round) }
		waves := [][]storage.Pending{
			{create(t, d, name("data"), "d"), create(t, d, name("more"), "m")},
			{create(t, d, name("index"), "i")},
		}
		watch(t, func(ctx context.Context) error {
			if _, err := storage.ReadFile(ctx, d, name("index")); errors.Is(err, fs.ErrNotExist) {
				return nil
			} else if err != nil {
				return err
			}
			_, err := storage.ReadFile(ctx, d, name("data"))
			_, err2 := storage.ReadFile(ctx, d, name("more"))
			return errors.Join(err, err2)
		}, func() { must(t, storage.CommitAll(t.Context(), d, waves...)) })
	}
}

// watch calls look over and over, and at least once after, while it does do.
func watch(t *testing.T, look func(ctx context.Context) error, do func()) {
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for last := false; ; {
			if err := look(t.Context()); err != nil {
				t.Errorf("seen meanwhile: %v", err)
				return
			}
			if last {
				return
			}
			select {
			case <-stop:
				last = true
			default:
			}
		}
	})
	defer wg.Wait()
	defer close(stop)
	do()
}

func commitAllFails(t *testing.T, d storage.Dir) {
	write(t, d, "index", "old")
	spent := create(t, d, "spent", "x")
	must(t, spent.Discard())
	index, state := create(t, d, "index", "new"), create(t, d, "state", "s")
	err := storage.CommitAll(t.Context(), d,
		[]storage.Pending{create(t, d, "data", "d")}, []storage.Pending{spent}, []storage.Pending{index, state})
	wantPathError(t, "CommitAll of a discarded file", err, fs.ErrClosed)
	wantFile(t, d, "index", "old")
	wantMissing(t, d, "state", "spent")
	wantPathError(t, "Commit after CommitAll failed", state.Commit(), fs.ErrClosed)
	wantMissing(t, d, "state")
}

// wrapped is what a caller makes of a Pending to count bytes, say.
type wrapped struct{ storage.Pending }

func commitAllWrapped(t *testing.T, d storage.Dir) {
	must(t, storage.CommitAll(t.Context(), d,
		[]storage.Pending{wrapped{create(t, d, "a", "1")}, create(t, d, "b", "2")},
		[]storage.Pending{create(t, d, "c", "3")}))
	wantList(t, d, "", "a", "b", "c")
	wantFile(t, d, "a", "1")
}

func removeAllMissing(t *testing.T, d storage.Dir) {
	for _, name := range []string{"index", "data", "sub/data", "kept"} {
		write(t, d, name, name)
	}
	must(t, storage.RemoveAll(t.Context(), d,
		[]string{"index", "no"}, []string{"data", "sub/data", "no/such/directory"}, []string{"none"}))
	wantList(t, d, "", "kept")
	must(t, storage.RemoveAll(t.Context(), d))
}

func removeAllOrder(t *testing.T, d storage.Dir) {
	for range 10 {
		write(t, d, "data", "d")
		write(t, d, "index", "i")
		watch(t, func(ctx context.Context) error {
			_, err := storage.ReadFile(ctx, d, "data")
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if _, err = storage.ReadFile(ctx, d, "index"); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return fmt.Errorf("data is gone before index (%v)", err)
		}, func() { must(t, storage.RemoveAll(t.Context(), d, []string{"index"}, []string{"data"})) })
	}
}

func linkSecondName(t *testing.T, d storage.Dir) {
	ctx := t.Context()
	write(t, d, "a", "old")
	must(t, storage.Link(ctx, d, "a", "b"))
	must(t, storage.Link(ctx, d, "a", "sub/c"))
	write(t, d, "a", "new")
	wantFile(t, d, "a", "new")
	wantFile(t, d, "b", "old")
	must(t, d.Remove(ctx, "b"))
	wantFile(t, d, "sub/c", "old")
	wantPathError(t, "Link to an existing name", storage.Link(ctx, d, "a", "sub/c"), fs.ErrExist)
	wantPathError(t, "Link of a missing file", storage.Link(ctx, d, "no", "x"), fs.ErrNotExist)
	wantPathError(t, "Link to an invalid name", storage.Link(ctx, d, "a", "../x"), fs.ErrInvalid)
	wantFile(t, d, "sub/c", "old")
	wantList(t, d, "", "a", "sub/c")
}

func lockShared(t *testing.T, d storage.Dir) {
	first, err := storage.Lock(t.Context(), d, "writer")
	if errors.Is(err, errors.ErrUnsupported) {
		return // not every place has locks
	}
	must(t, err)
	second, err := storage.Lock(t.Context(), d, "writer")
	must(t, err)
	wantList(t, d, "")
	write(t, d, "writer", "a lock's name is not a file's")
	wantTurns(t, first, second)
	must(t, first.Unlock())
	must(t, second.Unlock())
	again, err := storage.Lock(t.Context(), d, "writer")
	must(t, err)
	must(t, again.Unlock())
	must(t, again.Unlock()) // unlocking twice does nothing
	wantFile(t, d, "writer", "a lock's name is not a file's")
}

// wantTurns checks that one of those who share a lock waits for the other.
func wantTurns(t *testing.T, first, second storage.Held) {
	t.Helper()
	for range 2 {
		end, err := first.Turn(t.Context())
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if _, err := second.Turn(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Turn during another's = %v, want it to wait", err)
		}
		cancel()
		end()
		first, second = second, first
	}
}

func newWins(t *testing.T, d storage.Dir) {
	if err := storage.WriteNew(t.Context(), d, "probe", nil); errors.Is(err, errors.ErrUnsupported) {
		return // the place says so
	}
	write(t, d, "old", "old")
	wantPathError(t, "WriteNew of a file that is there", storage.WriteNew(t.Context(), d, "old", []byte("new")), fs.ErrExist)
	wantFile(t, d, "old", "old")
	for round := range 20 {
		name := fmt.Sprint("sub/token-", round)
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = storage.WriteNew(t.Context(), d, name, fmt.Append(nil, i)) })
		}
		wg.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won < 0:
				won = i
			case err == nil:
				t.Errorf("%d and %d both made %s", won, i, name)
			default:
				wantPathError(t, "WriteNew", err, fs.ErrExist)
			}
		}
		wantFile(t, d, name, fmt.Sprint(won))
	}
}
