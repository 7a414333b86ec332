package dirlock

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// plain is a place without locks.
type plain struct{ storage.Dir }

// taken is a place whose locks another process holds for so many looks.
type taken struct {
	storage.Dir
	looks *int
}

func (d taken) Lock(ctx context.Context, name string) (storage.Held, error) {
	if *d.looks > 0 {
		*d.looks--
		return nil, storage.ErrLocked
	}
	return storage.Lock(ctx, d.Dir, name)
}

func TestOneAtATime(t *testing.T) {
	patiently := func(ctx context.Context, dir storage.Dir, do func(storage.Dir) error) error {
		return BetweenSweeps(ctx, dir, PinPatience, do)
	}
	for name, guard := range map[string]func(context.Context, storage.Dir, func(storage.Dir) error) error{"Exclusive": Exclusive, "BetweenSweeps": patiently} {
		for place, dir := range map[string]storage.Dir{"with locks": mem.Dir(), "without": plain{mem.Dir()}} {
			inside, done := 0, make(chan error)
			for range 8 {
				go func() {
					done <- guard(t.Context(), dir, func(storage.Dir) error {
						if inside++; inside != 1 {
							t.Errorf("%s %s: %d at a time", name, place, inside)
						}
						inside--
						return nil
					})
				}()
			}
			for range 8 {
				if err := <-done; err != nil {
					t.Errorf("%s %s = %v", name, place, err)
				}
			}
		}
	}
}

func TestSweepsDoNotWaitForWriters(t *testing.T) {
	for place, dir := range map[string]storage.Dir{"with locks": mem.Dir(), "without": plain{mem.Dir()}} {
		swept := false
		err := Exclusive(t.Context(), dir, func(storage.Dir) error {
			return BetweenSweeps(t.Context(), dir, SweepPatience, func(storage.Dir) error { swept = true; return nil })
		})
		if err != nil || !swept {
			t.Errorf("%s: a sweep inside of a save: %v, %v, want true", place, swept, err)
		}
	}
}

func TestErrorsOfWhatIsDoneComeBack(t *testing.T) {
	dir, broken := mem.Dir(), errors.New("broken")
	do := func(storage.Dir) error { return broken }
	for range 2 { // the lock is given up each time
		if err := Exclusive(t.Context(), dir, do); !errors.Is(err, broken) {
			t.Errorf("Exclusive = %v, want %v", err, broken)
		}
		if err := BetweenSweeps(t.Context(), dir, 0, do); !errors.Is(err, broken) {
			t.Errorf("BetweenSweeps = %v, want %v", err, broken)
		}
	}
}

func TestLockTellsWhetherThereAreLocks(t *testing.T) {
	for want, dir := range map[bool]storage.Dir{true: mem.Dir(), false: plain{mem.Dir()}} {
		lock, locked, err := Lock(t.Context(), dir)
		if err != nil || locked != want {
			t.Fatalf("Lock = %v, %v, want %v", locked, err, want)
		}
		if err := lock.Unlock(); err != nil {
			t.Error(err)
		}
	}
	looks := 1
	if _, locked, err := Lock(t.Context(), taken{mem.Dir(), &looks}); locked || !errors.Is(err, storage.ErrLocked) {
		t.Errorf("Lock = %v, %v, want %v", locked, err, storage.ErrLocked)
	}
}

func TestRemovalWaitsOnlySoLong(t *testing.T) {
	looks := 3
	if err := BetweenSweeps(t.Context(), taken{mem.Dir(), &looks}, time.Minute, func(storage.Dir) error { return nil }); err != nil || looks != 0 {
		t.Errorf("BetweenSweeps = %v after all but %d looks, want nil after all", err, looks)
	}
	looks = 1 << 30
	never := func(storage.Dir) error { t.Error("done without the lock"); return nil }
	if err := BetweenSweeps(t.Context(), taken{mem.Dir(), &looks}, 5*time.Millisecond, never); !errors.Is(err, storage.ErrLocked) {
		t.Errorf("BetweenSweeps = %v, want %v", err, storage.ErrLocked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := BetweenSweeps(ctx, taken{mem.Dir(), &looks}, time.Minute, never); !errors.Is(err, context.Canceled) {
		t.Errorf("BetweenSweeps = %v, want %v", err, context.Canceled)
	}
}

func TestRemovalLiesBesideTheLeases(t *testing.T) {
	var lines []string
	dir := storage.WithTrace(mem.Dir(), func(line string) { lines = append(lines, line) })
	if err := BetweenSweeps(t.Context(), dir, 0, func(storage.Dir) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(lines, "; "), "lock "+Leases+"/removal; list .ckpt.writers/; unlock "+Leases+"/removal"; got != want {
		t.Errorf("BetweenSweeps does %q, want %q", got, want)
	}
}
