package checkpoint

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// lineTaker is a log that hands out its lines.
type lineTaker chan string

func (l lineTaker) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestALeaseThatIsNotRenewedIsTold: before a save is refused for it, and once.
// Proves D13.
func TestALeaseThatIsNotRenewedIsTold(t *testing.T) {
	var full atomic.Bool
	disk := vfstest.NewStrict(nil)
	must(t, disk.Mkdir("/train", 0o777))
	dir := local.DirOn(vfstest.Hook(disk, func(op vfstest.Op) error {
		if full.Load() && op.Verb == "create" && strings.Contains(op.Path, dirlock.Tokens) {
			return syscall.ENOSPC
		}
		return nil
	}), faultRoot)
	leased := storage.WithLease(dir, &storage.LeaseOptions{TTL: 12 * time.Millisecond, Holder: "process 2 (x) on host z"})
	log := make(lineTaker, 100)
	c, _ := one(1)
	m := newManager(t, c, leased, &ManagerOptions{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	mustSave(t, m, nil)
	full.Store(true)
	line := "nothing"
	select {
	case line = <-log:
	case <-time.After(10 * time.Second):
	}
	if !strings.Contains(line, "the lease on the directory is not renewed") || !strings.Contains(line, "no space left") {
		t.Errorf("log = %q, want that the lease is not renewed, and why", line)
	}
	full.Store(false)
	mustSave(t, m, nil)
	if n := len(log); n != 0 {
		t.Errorf("%d more lines in the log, want each trouble told once: %q", n, <-log)
	}
}
