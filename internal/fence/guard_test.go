package fence

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func wantText(t *testing.T, dir storage.Dir, name, want string) {
	t.Helper()
	if text, err := storage.ReadFile(t.Context(), dir, name); err != nil || string(text) != want {
		t.Errorf("%s holds %q, %v, want %q", name, text, err, want)
	}
}

// TestWhatAGuardLetsPassIsDone in each of the ways to make a file.
func TestWhatAGuardLetsPassIsDone(t *testing.T) {
	dir := mem.Dir()
	held := mustLock(t, as(dir, "a"))
	mine := held.Guard(dir)
	if err := storage.WriteNew(t.Context(), mine, "new", []byte("new")); err != nil {
		t.Error(err)
	}
	if err := storage.Link(t.Context(), mine, "new", "linked"); err != nil {
		t.Error(err)
	}
	for name, end := range map[string]func(storage.Pending) error{"published": storage.Publish, "committed": storage.Pending.Commit} {
		p, err := mine.Create(t.Context(), name)
		if err == nil {
			_, err = io.WriteString(p, name)
		}
		if err = errors.Join(err, end(p)); err != nil {
			t.Error(err)
		}
		wantText(t, dir, name, name)
	}
	for name, end := range map[string]func(storage.Pending) error{"shared soon": storage.Publish, "shared": storage.Pending.Commit} {
		p, err := storage.Share(t.Context(), mine, "new", name)
		if err != nil {
			t.Fatal(err)
		}
		if err := end(p); err != nil {
			t.Error(err)
		}
		wantText(t, dir, name, "new")
	}
	wantText(t, dir, "new", "new")
	wantText(t, dir, "linked", "new")
	mustUnlock(t, held)
}

// TestWhatIsAnnouncedIsOverWithTheTurn: or the next holder would leave a
// checkpoint alone that nobody is at.
func TestWhatIsAnnouncedIsOverWithTheTurn(t *testing.T) {
	dir := mem.Dir()
	held := mustLock(t, as(dir, "a"))
	end, err := held.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.WriteFile(t.Context(), held.Guard(dir), "ckpt-7.index", nil); err != nil {
		t.Error(err)
	}
	announced := func() bool {
		text, err := storage.ReadFile(t.Context(), dir, fileName("checkpoint", 1))
		if err != nil {
			t.Error(err)
		}
		return strings.Contains(string(text), "ckpt-7")
	}
	if !announced() {
		t.Error("the token does not announce a change in the turn")
	}
	if end(); announced() {
		t.Error("the token announces the change after the turn")
	}
	mustUnlock(t, held)
}

// slow is a place where a removal takes until it is told to go on.
type slow struct {
	storage.Dir
	goOn chan struct{}
}

func (d slow) Remove(ctx context.Context, name string) error {
	if !strings.HasPrefix(name, Tokens) {
		<-d.goOn
	}
	return d.Dir.Remove(ctx, name)
}

func (d slow) WriteNew(ctx context.Context, name string, data []byte) error {
	return storage.WriteNew(ctx, d.Dir, name, data)
}

// TestWhoLosesItsLeaseInAChangeSaysWhenThatIsDone: its token goes then, and
// with it what it has announced.
func TestWhoLosesItsLeaseInAChangeSaysWhenThatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		if err := storage.WriteFile(t.Context(), dir, "ckpt-7.index", nil); err != nil {
			t.Fatal(err)
		}
		of, done := slow{dir, make(chan struct{})}, make(chan error)
		was := mustLock(t, as(of, "a"))
		go func() { done <- was.Guard(of).Remove(t.Context(), "ckpt-7.index") }()
		synctest.Wait()
		if err := storage.WriteFile(t.Context(), dir, fileName("checkpoint", 2), []byte("{}")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(defaultTTL) // its next sign of life tells it
		wantTokens(t, dir, 1, 2)
		close(of.goOn)
		if err := <-done; err != nil {
			t.Error(err)
		}
		wantTokens(t, dir, 2)
		mustUnlock(t, was)
	})
}

// TestWhoComesTooLateTakesItsTokenAway: between its look at the tokens and the
// making of its own another has made a higher one.
func TestWhoComesTooLateTakesItsTokenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		late := storage.WithTrace(dir, func(line string) {
			if line != "new "+fileName("checkpoint", 1) {
				return
			}
			if err := storage.WriteFile(t.Context(), dir, fileName("checkpoint", 2), []byte("{}")); err != nil {
				t.Error(err)
			}
		})
		if _, err := Lock(t.Context(), as(late, "a"), "checkpoint", Terms{Patience: time.Second}); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("Lock = %v, want %v", err, storage.ErrLocked)
		}
		wantTokens(t, dir, 2)
	})
}

// TestWavesAreDurableOneByOne: also under a lease no data is gone while its
// index may come back. Proves D10.
func TestWavesAreDurableOneByOne(t *testing.T) {
	disk := vfstest.NewStrict(nil)
	dir := local.DirOn(disk, "/run")
	const index, data = "ckpt-7.index", "ckpt-7.data-00000-of-00001"
	for _, name := range []string{index, data} {
		if err := storage.WriteFile(t.Context(), dir, name, nil); err != nil {
			t.Fatal(err)
		}
	}
	held := mustLock(t, as(dir, "a"))
	disk.Watch(func(op vfstest.Op, s *vfstest.Strict) {
		for cut := range s.Cuts(8, 1) {
			left := s.Crash(cut)
			_, noIndex := left.Stat("/run/" + index)
			if _, noData := left.Stat("/run/" + data); noData != nil && noIndex == nil {
				t.Errorf("after %v, cut %s, the index is there and the data is not", op, cut.Name)
			}
		}
	})
	if err := storage.RemoveAll(t.Context(), held.Guard(dir), []string{index}, []string{data}); err != nil {
		t.Error(err)
	}
	disk.Watch(nil)
	mustUnlock(t, held)
}
