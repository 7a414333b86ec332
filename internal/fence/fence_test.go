package fence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// as returns dir for the process a, b, ... of these tests.
func as(dir storage.Dir, who string) storage.Dir {
	return storage.WithLease(dir, &storage.LeaseOptions{Holder: "process 1 (" + who + ") on host"})
}

// stopper is a process that can be stopped, as by SIGSTOP, when it has done
// something that begins with at.
type stopper struct {
	stopped, resume chan struct{}
	reached         atomic.Bool
	at              string
}

func stopping(dir storage.Dir, at string) (storage.Dir, *stopper) {
	s := &stopper{at: at, stopped: make(chan struct{}), resume: make(chan struct{})}
	return storage.WithTrace(dir, s.did), s
}

func (s *stopper) did(line string) {
	select {
	case <-s.stopped:
		if s.reached.Load() || strings.HasPrefix(line, s.at) {
			s.reached.Store(true)
			<-s.resume
		}
	default:
	}
}

func (s *stopper) stop() { close(s.stopped) }
func (s *stopper) goOn() { close(s.resume) }

func mustLock(t *testing.T, dir storage.Dir) *Held {
	t.Helper()
	h, err := Lock(t.Context(), dir, "checkpoint", Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustUnlock(t *testing.T, h *Held) {
	t.Helper()
	for range 2 { // the second does nothing
		if err := h.Unlock(); err != nil {
			t.Error(err)
		}
	}
}

func tokens(t *testing.T, dir storage.Dir) []int64 {
	t.Helper()
	list, err := numbers(t.Context(), dir, "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func wantTokens(t *testing.T, dir storage.Dir, want ...int64) {
	t.Helper()
	if got := tokens(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are the tokens %v, want %v", got, want)
	}
}

func TestEachHolderHasAHigherToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		if used, err := InUse(t.Context(), dir); used || err != nil {
			t.Errorf("InUse = %v, %v before the first", used, err)
		}
		for i, who := range []string{"a", "b", "a"} {
			h := mustLock(t, as(dir, who))
			if got := h.Token(); got != int64(i+1) {
				t.Errorf("token of the %d. holder is %d", i+1, got)
			}
			mustUnlock(t, h)
			wantTokens(t, dir, int64(i+1))
		}
		if used, err := InUse(t.Context(), dir); !used || err != nil {
			t.Errorf("InUse = %v, %v after the last", used, err)
		}
	})
}

func TestAHolderThatLivesIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		h := mustLock(t, as(dir, "a"))
		begin := time.Now()
		_, err := Lock(t.Context(), as(dir, "b"), "checkpoint", Terms{})
		if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "(process 1 (a) on host, since 2000-01-01T00:00:00Z, who renews it)") {
			t.Errorf("Lock = %v, want %v and the holder", err, storage.ErrLocked)
		}
		if took := time.Since(begin); took > defaultTTL/beats+defaultTTL/beats/4 {
			t.Errorf("that took %v", took)
		}
		time.Sleep(24 * time.Hour) // of the bubble
		if err := h.Guard(dir).Remove(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a change after a day = %v, want one that finds nothing", err)
		}
		mustUnlock(t, h)
	})
}

func TestASilentHolderLosesTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		of, a := stopping(dir, "")
		was := mustLock(t, as(of, "a"))
		a.stop()
		silent := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err := Lock(ctx, as(dir, "b"), "checkpoint", Terms{})
		cancel()
		if !errors.Is(err, storage.ErrLocked) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "process 1 (a) on host") {
			t.Errorf("Lock with a deadline = %v, want %v, the holder, and the context's error", err, storage.ErrLocked)
		}
		_, err = Lock(t.Context(), as(dir, "b"), "checkpoint", Terms{Patience: 30 * time.Second})
		if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "if it is dead the lease is free in ") {
			t.Errorf("Lock with patience = %v, want %v and when it is free", err, storage.ErrLocked)
		}
		begin := time.Now()
		now := mustLock(t, as(dir, "b"))
		if took := time.Since(begin); took > defaultTTL || time.Since(silent) < defaultTTL || now.Token() != 2 {
			t.Errorf("token %d after %v more, want 2 after %v in all", now.Token(), took, defaultTTL)
		}
		a.goOn()
		err = was.Guard(dir).Remove(t.Context(), "none")
		if !errors.Is(err, storage.ErrFenced) || !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), "process 1 (b) on host") {
			t.Errorf("a change by the former holder = %v, want %v and the new one", err, storage.ErrFenced)
		}
		mustUnlock(t, was)
		wantTokens(t, dir, 2)
		mustUnlock(t, now)
	})
}

// TestWhatWasAnnouncedNobodyElseTouches stops a holder between its look at the
// tokens and its change.
//
// Proves D27.
func TestWhatWasAnnouncedNobodyElseTouches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		of, a := stopping(dir, "list "+prefix("checkpoint"))
		was := mustLock(t, as(of, "a"))
		end, err := was.Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		mine, done := was.Guard(of), make(chan error)
		a.stop()
		go func() { done <- storage.WriteFile(t.Context(), mine, "ckpt-7.index", []byte("a")) }()
		synctest.Wait()
		now := mustLock(t, as(dir, "b"))
		theirs := now.Guard(dir)
		if err := storage.WriteFile(t.Context(), theirs, "ckpt-7.data-00000-of-00001", nil); !errors.Is(err, storage.ErrLocked) || Busy(theirs, "ckpt-7") == "" {
			t.Errorf("to write what a stopped holder is about to write = %v, want %v", err, storage.ErrLocked)
		}
		if _, err := theirs.Create(t.Context(), "ckpt-7.index"); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("to begin to write it = %v, want %v before much is written", err, storage.ErrLocked)
		}
		if _, err := storage.Share(t.Context(), theirs, "other", "ckpt-7.index"); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("to begin to share it = %v, want %v", err, storage.ErrLocked)
		}
		if err := storage.WriteNew(t.Context(), theirs, "ckpt-7.receipt.json", nil); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("to make a file of it in one go = %v, want %v", err, storage.ErrLocked)
		}
		if err := storage.WriteFile(t.Context(), theirs, "ckpt-8.index", []byte("b")); err != nil {
			t.Error(err)
		}
		a.goOn()
		if err := <-done; err != nil && !errors.Is(err, storage.ErrFenced) {
			t.Error(err)
		}
		if err := storage.WriteFile(t.Context(), mine, "ckpt-8.index", []byte("a")); !errors.Is(err, storage.ErrFenced) {
			t.Errorf("its next change = %v, want %v", err, storage.ErrFenced)
		}
		wantTokens(t, dir, 1, 2)
		end()
		wantTokens(t, dir, 2)
		time.Sleep(defaultTTL)
		if err := storage.WriteFile(t.Context(), theirs, "ckpt-7.index", nil); err != nil || Busy(theirs, "ckpt-7") != "" {
			t.Errorf("to write when the former holder has given up = %v", err)
		}
		mustUnlock(t, was)
		mustUnlock(t, now)
	})
}

func TestALeaseIsSharedWithinAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		first, second := mustLock(t, as(dir, "a")), mustLock(t, as(dir, "a"))
		if first.Token() != 1 || second.Token() != 1 {
			t.Errorf("tokens %d and %d, want 1", first.Token(), second.Token())
		}
		mustUnlock(t, first)
		if _, err := Lock(t.Context(), as(dir, "b"), "checkpoint", Terms{}); !errors.Is(err, storage.ErrLocked) {
			t.Errorf("Lock = %v while one of two still holds it", err)
		}
		mustUnlock(t, second)
		mustUnlock(t, mustLock(t, as(dir, "b")))
	})
}

// TestOfManyThatStartAtOnceOneHasTheLease also where the last one died.
//
// Proves D26.
func TestOfManyThatStartAtOnceOneHasTheLease(t *testing.T) {
	for name, dir := range map[string]storage.Dir{"mem": mem.Dir(), "local": local.Dir(t.TempDir())} {
		synctest.Test(t, func(t *testing.T) {
			if err := storage.WriteFile(t.Context(), dir, fileName("checkpoint", 7), []byte("of one who died")); err != nil {
				t.Fatal(err)
			}
			held := make([]*Held, 8)
			var wg sync.WaitGroup
			for i := range held {
				wg.Go(func() {
					var err error
					if held[i], err = Lock(t.Context(), as(dir, fmt.Sprint(i)), "checkpoint", Terms{}); err != nil && !errors.Is(err, storage.ErrLocked) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			held = slices.DeleteFunc(held, func(h *Held) bool { return h == nil })
			if len(held) != 1 || held[0].Token() < 8 {
				t.Errorf("%s: %d have the lease, want one", name, len(held))
			}
			for _, h := range held {
				wantTokens(t, dir, h.Token())
				mustUnlock(t, h)
			}
		})
	}
}

func TestWithoutExclusiveFilesThereIsNoLease(t *testing.T) {
	dir := struct{ storage.Dir }{mem.Dir()}
	if _, err := Lock(t.Context(), dir, "checkpoint", Terms{}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Lock = %v, want %v", err, errors.ErrUnsupported)
	}
}

func TestOnlyTokenFilesAreTokens(t *testing.T) {
	for name, want := range map[string]int64{Tokens + "/checkpoint@7.json": 7, Tokens + "/checkpoint@07.json": 0, Tokens + "/checkpoint@0.json": 0,
		Tokens + "/checkpoint@9223372036854775807.json": 0, Tokens + "/removal@7.json": 0, "checkpoint@7.json": 0, Tokens + "/checkpoint@7": 0} {
		if n, ok := numberOf("checkpoint", name); ok != (want > 0) || ok && n != want {
			t.Errorf("numberOf(%q) = %d, %v, want %d", name, n, ok, want)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add([]byte(`{"schema":1,"id":"A","holder":"process 1 (a) on host","since":"2026-01-01T12:00:00Z","ttl_seconds":60,"beat":3,"paths":["ckpt-7"]}`))
	f.Add([]byte(`{"ttl_seconds":1e300}`))
	f.Add([]byte(`{"ttl_seconds":-1,"released":true}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := mem.Dir()
		if err := storage.WriteFile(t.Context(), dir, fileName("checkpoint", 7), text); err != nil {
			t.Fatal(err)
		}
		got, err := newest(t.Context(), dir, "checkpoint")
		if err != nil || got.number != 7 || got.ttl() <= 0 || got.ttl() > maxTTL {
			t.Errorf("token = %+v, %v, want 7 and a TTL", got, err)
		}
		if strings.ContainsFunc(got.who(), func(r rune) bool { return r < ' ' }) {
			t.Errorf("who() = %q, which a terminal might obey", got.who())
		}
	})
}

// TestShortPatienceAddsUp: a sweep that waits two seconds at every save gets the
// lease of one that died in a sweep.
func TestShortPatienceAddsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := mem.Dir()
		of, a := stopping(dir, "")
		was := mustLock(t, as(of, "a"))
		a.stop()
		tries := 1
		for ; ; tries++ {
			h, err := Lock(t.Context(), as(dir, "b"), "checkpoint", Terms{Patience: 2 * time.Second})
			if err == nil {
				mustUnlock(t, h)
				break
			}
			if !errors.Is(err, storage.ErrLocked) || tries > 100 {
				t.Fatalf("Lock = %v after %d tries", err, tries)
			}
			time.Sleep(8 * time.Second) // of the bubble
		}
		if tries < 6 || tries > 7 {
			t.Errorf("Lock works after %d tries in %v, want 6 or 7 in a minute", tries, defaultTTL)
		}
		a.goOn()
		mustUnlock(t, was)
	})
}
