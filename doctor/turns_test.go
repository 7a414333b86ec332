package doctor_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/doctor"
	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// turning is a Dir that knows whether it is somebody's turn.
type turning struct {
	storage.Dir
	mu  sync.Mutex
	in  map[string]int
	out []string // what was changed in nobody's turn
}

func (d *turning) Lock(ctx context.Context, name string) (storage.Held, error) {
	held, err := storage.Lock(ctx, d.Dir, name)
	if err != nil {
		return nil, err
	}
	return turnHeld{held, d, name}, nil
}

type turnHeld struct {
	storage.Held
	d    *turning
	name string
}

func (h turnHeld) Turn(ctx context.Context) (func(), error) {
	end, err := h.Held.Turn(ctx)
	if err != nil {
		return nil, err
	}
	h.d.count(h.name, 1)
	return func() { h.d.count(h.name, -1); end() }, nil
}

func (d *turning) count(name string, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.in[name] += n
}

// rolledBack is what the illnesses interrupt the overwriting of.
const rolledBack = "ckpt-2."

func (d *turning) tell(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	verb, _, _ := strings.Cut(line, " ")
	switch verb {
	case "create", "publish", "commit", "remove", "link", "new":
		marks := verb == "commit" && strings.HasSuffix(line, ".receipt.json") && d.in[dirlock.Removal] == 0 && !strings.Contains(line, " "+rolledBack)
		if marks || d.in[dirlock.Removal]+d.in[filename.State] == 0 {
			d.out = append(d.out, line)
		}
	}
}

// TestNothingIsMendedOutOfTurn: managers of the same process share the lock.
// Who writes a receipt has also the second one, or it could undo a pin.
//
// Proves D22, D26.
func TestNothingIsMendedOutOfTurn(t *testing.T) {
	for name, damage := range illnesses {
		d := &turning{Dir: local.DirOn(ill(t, damage), strictRoot), in: make(map[string]int)}
		f := folder{t: t, Dir: storage.WithTrace(d, d.tell)}
		if after := f.fix(f.examine(nil), nil); len(after.Mended) < 5 {
			t.Errorf("%s: mended %q", name, kinds(after.Mended))
		}
		if len(d.out) > 0 {
			t.Errorf("%s: done in nobody's turn: %q", name, d.out)
		}
	}
}

// TestNothingIsMendedWithoutTheLease: another writer has taken it since.
//
// Proves D27.
func TestNothingIsMendedWithoutTheLease(t *testing.T) {
	disk := ill(t, illnesses["files"])
	raw := folder{t: t, Dir: local.DirOn(disk, strictRoot)}
	whole := raw.restorable()
	taken := false
	traced := storage.WithTrace(raw.Dir, func(line string) {
		if taken || !strings.HasPrefix(line, "publish .ckpt.writers/checkpoint@1") {
			return
		}
		taken = true
		raw.must(storage.WriteFile(t.Context(), raw.Dir, ".ckpt.writers/checkpoint@2.json", []byte("{}")))
	})
	dir := storage.WithLease(traced, &storage.LeaseOptions{TTL: time.Hour})
	r, err := doctor.Examine(t.Context(), dir, doctor.Impatient(nil))
	raw.must(err)
	after, err := r.Fix(t.Context(), nil)
	if !errors.Is(err, storage.ErrFenced) || !taken {
		t.Errorf("Fix() = %v, want %v", err, storage.ErrFenced)
	}
	if len(after.Mended) > 0 {
		t.Errorf("mended %q all the same", kinds(after.Mended))
	}
	if got := raw.restorable(); !includes(got, whole) {
		t.Errorf("these can be restored: %v, want %v", got, whole)
	}
}

// TestWhatLiesBesideTheSecondLockIsMended: only who takes it removes what
// dead writers have left there.
func TestWhatLiesBesideTheSecondLockIsMended(t *testing.T) {
	f := newFolder(t, 1)
	// A Dir looks itself, once, where it makes its first file.
	f.must(storage.WriteFile(t.Context(), f.Dir, ".ckpt.leases/first", nil))
	f.remove(".ckpt.leases/first")
	f.write(".ckpt.leases/.ckpt.tmp-1-x", "half")
	f.age()
	after := f.fix(f.examine(nil), nil)
	if len(after.Mended) != 1 || f.all()[".ckpt.leases/.ckpt.tmp-1-x"] != "" {
		t.Errorf("mended %q, and the file is there: %v", kinds(after.Mended), f.all()[".ckpt.leases/.ckpt.tmp-1-x"] != "")
	}
}

// TestWhatASleeperMayChangeIsNotMended: who has lost the lease may be at work
// there, and is in the midst of what looks broken.
//
// Proves D27.
func TestWhatASleeperMayChangeIsNotMended(t *testing.T) {
	for over, mended := range map[string]bool{"ckpt-2": false, "ckpt-7": true} {
		f := newFolder(t, 3)
		f.remove("ckpt-2.receipt.json")
		f.write(".ckpt.writers/checkpoint@1.json", `{"schema":1,"id":"sleeper","holder":"process 1 (x) on host y","since":"2026-01-01T00:00:00Z","ttl_seconds":0.05,"beat":1,"paths":["`+over+`"]}`)
		f.age()
		dir := storage.WithLease(f.Dir, &storage.LeaseOptions{TTL: 50 * time.Millisecond})
		r, err := doctor.Examine(t.Context(), dir, doctor.Impatient(nil))
		f.must(err)
		_, err = r.Fix(t.Context(), nil)
		f.must(err)
		if got := f.all()["ckpt-2.receipt.json"] != ""; got != mended {
			t.Errorf("with a sleeper over %s the receipt of ckpt-2 was written: %v, want %v", over, got, mended)
		}
	}
}
