package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

func TestALeaseIsRenewedUntilItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := savedBy(t, ManagerOptions{}, 2)
		l, err := TakeLease(background(), dir, "ckpt-1", &LeaseOptions{TTL: time.Minute, Holder: "the evaluator"})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			time.Sleep(time.Minute) // of the bubble
			synctest.Wait()
			wantHolders(t, dir, "ckpt-1", "the evaluator")
			if err := l.Err(); err != nil {
				t.Fatalf("Err() = %v while the lease is renewed", err)
			}
		}
		if err := l.Release(background()); err != nil {
			t.Fatal(err)
		}
		wantHolders(t, dir, "ckpt-1", "")
		if err := l.Release(background()); err != nil {
			t.Errorf("second Release() = %v", err)
		}
	})
}

func TestALeaseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := savedBy(t, ManagerOptions{}, 1)
		ctx, cancel := context.WithCancel(background())
		l, err := TakeLease(ctx, dir, "ckpt-1", nil)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		wantHolders(t, dir, "ckpt-1", "")
		if err := l.Err(); !errors.Is(err, context.Canceled) {
			t.Errorf("Err() = %v, want the context's", err)
		}
	})
}

// TestALeaseThatRanOutIsTakenAnew: a machine that slept for an hour finds its
// lease run out, and perhaps its checkpoint gone.
func TestALeaseThatRanOutIsTakenAnew(t *testing.T) {
	for _, gone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			dir := savedBy(t, ManagerOptions{}, 2)
			var skew atomic.Int64
			l, err := TakeLease(background(), dir, "ckpt-1", &LeaseOptions{TTL: time.Minute, Now: func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }})
			if err != nil {
				t.Fatal(err)
			}
			skew.Store(int64(time.Hour))
			if err := l.Err(); err == nil {
				t.Error("Err() = nil for a lease that ran out")
			}
			if gone {
				remove(t, dir, "ckpt-1.index")
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if err := l.Err(); gone != errors.Is(err, fs.ErrNotExist) || !gone && err != nil {
				t.Errorf("gone %v: Err() = %v", gone, err)
			}
			if err := l.Release(background()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALeaseOnNothingIsAnError(t *testing.T) {
	dir := mem.Dir()
	if _, err := TakeLease(background(), dir, "ckpt-1", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("TakeLease() = %v, want fs.ErrNotExist", err)
	}
	wantPaths(t, "files", listing(t, dir))
}

// TestALeaseThatComesTooLateIsAnError, also where there are no locks: what was
// there at first is removed while the lease is written down.
func TestALeaseThatComesTooLateIsAnError(t *testing.T) {
	inner := savedBy(t, ManagerOptions{}, 1)
	dir := storage.WithTrace(inner, func(line string) {
		if strings.HasPrefix(line, "create "+dirlock.Leases) {
			remove(t, inner, "ckpt-1.index")
		}
	})
	if _, err := TakeLease(background(), dir, "ckpt-1", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("TakeLease() = %v, want fs.ErrNotExist", err)
	}
	wantPaths(t, "files", listing(t, inner), "checkpoint", "ckpt-1.data-00000-of-00001", "ckpt-1.receipt.json")
}

func TestALeaseWhereOneMayNotWriteIsAnError(t *testing.T) {
	if os.Getuid() == 0 {
		return // who may write everywhere
	}
	root := t.TempDir()
	dir := local.Dir(root)
	c, _ := one(1)
	if err := c.Write(background(), dir, "ckpt-1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.Chmod(root, 0o755); err != nil {
			t.Error(err)
		}
	}()
	if _, err := TakeLease(background(), dir, "ckpt-1", nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("TakeLease() = %v, want fs.ErrPermission", err)
	}
}

// TestLeasesOfTheDeadRunOut: expired ones count for nothing, and are removed
// when no clock can make them valid any more.
func TestLeasesOfTheDeadRunOut(t *testing.T) {
	synctest.Test(t, testLeasesOfTheDead)
}

func testLeasesOfTheDead(t *testing.T) {
	dir := mem.Dir() // at 2000-01-01, as the bubble has it
	lease := func(id, text string) { writeFile(t, dir, leasePrefix("ckpt-1")+id+leaseSuffix, text) }
	lease("A", `{"schema":1,"path":"ckpt-1","holder":"a","ttl_seconds":43200,"expires":"2026-01-01T12:00:00Z"}`)
	lease("B", `{"schema":1,"path":"ckpt-1","holder":"b","ttl_seconds":48600,"expires":"1970-01-01T12:00:00Z"}`)
	for _, test := range []struct{ now, want, left string }{
		{"2000-01-01T11:59:59Z", "a and b", "AB"},
		{"2000-01-01T12:00:00Z", "b", "AB"},
		{"2000-01-01T13:00:01Z", "b", "B"},
		{"2000-01-01T14:30:01Z", "", ""},
	} {
		now, err := time.Parse(time.RFC3339, test.now)
		if err != nil {
			t.Fatal(err)
		}
		found, err := holders(background(), dir, func() time.Time { return now }, func(p string) bool { return p == "ckpt-1" })
		if err != nil || found["ckpt-1"] != test.want {
			t.Errorf("holders at %s = %q, %v, want %q", test.now, found["ckpt-1"], err, test.want)
		}
		if err := tidyLeases(background(), dir, func() time.Time { return now }); err != nil {
			t.Error(err)
		}
		left := ""
		for _, name := range listing(t, dir) {
			left += name[len(leasePrefix("ckpt-1")) : len(name)-len(leaseSuffix)]
		}
		if left != test.left {
			t.Errorf("left at %s: %q, want %q", test.now, left, test.left)
		}
	}
	writeFile(t, dir, leasePrefix("ckpt-1")+"C"+leaseSuffix, "not JSON")
	found, err := holders(background(), dir, time.Now, func(string) bool { return true })
	if err != nil || found["ckpt-1"] == "" {
		t.Errorf("holders = %v, %v, want one that cannot be read", found, err)
	}
}

// TestLeasesNeedNoCommonClock: a reader's clock, or that of who sweeps, may be
// days off; the storage's counts. The lease of a reader that died ends.
//
// Proves D28.
func TestLeasesNeedNoCommonClock(t *testing.T) {
	for _, off := range []time.Duration{-100 * time.Hour, 0, 100 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			dir := mem.Dir()
			skewed := func() time.Time { return time.Now().Add(off) }
			c, _ := one(1)
			m, err := NewManager(background(), c, dir, &ManagerOptions{MaxToKeep: 1, Now: skewed})
			must(t, err)
			mustSave(t, m, nil)
			ctx, die := context.WithCancel(background())
			reader := storage.WithTrace(dir, func(line string) {
				if ctx.Err() != nil && strings.HasPrefix(line, "create ") {
					<-t.Context().Done() // dead
				}
			})
			l, err := TakeLease(background(), reader, "ckpt-1", &LeaseOptions{Now: func() time.Time { return skewed().Add(-2 * off) }})
			must(t, err)
			time.Sleep(time.Hour) // of the bubble
			mustSave(t, m, nil)
			wantPaths(t, "on disk while it is leased", onDisk(t, dir), "ckpt-1", "ckpt-2")
			die()
			time.Sleep(defaultTTL + defaultTTL/2)
			mustSave(t, m, nil)
			wantPaths(t, "on disk when the reader is dead", onDisk(t, dir), "ckpt-3")
			must(t, m.Close(background()))
			go func() { _ = l.Release(background()) }() // with the end of the test
		})
	}
}

// TestOnAFullDiskNoLeaseHasRunOut: what time it is cannot be seen.
func TestOnAFullDiskNoLeaseHasRunOut(t *testing.T) {
	if now := placeTime(background(), storage.ReadOnly(mem.Dir()), untold)(); !now.IsZero() {
		t.Errorf("time = %v, want none", now)
	}
}

func FuzzLease(f *testing.F) {
	f.Add([]byte(`{"schema":1,"path":"ckpt-1","holder":"a","expires":"2026-01-01T12:00:00Z","ttl_seconds":300}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := mem.Dir()
		writeFile(t, dir, leasePrefix("ckpt-1")+"A"+leaseSuffix, string(text))
		if _, err := holders(background(), dir, time.Now, func(string) bool { return true }); err != nil {
			t.Error(err)
		}
	})
}

func wantHolders(t *testing.T, dir storage.Dir, path, want string) {
	t.Helper()
	found, err := holders(background(), dir, time.Now, func(p string) bool { return p == path })
	if err != nil || found[path] != want {
		t.Errorf("holders of %s = %q, %v, want %q", path, found[path], err, want)
	}
}
