package publish

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/ckpt-dev/ckpt/storage"
)

// NoSpaceError refuses a save that cannot fit, before anything is written.
type NoSpaceError struct {
	Need  int64         // bytes of the tensors, parity included; index and receipt come besides
	Space storage.Space // of the directory
}

// Error says how much is missing.
func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("no room: %s are needed, %s of %s are free, so %s are missing; remove something there, keep fewer checkpoints, or let ManagerOptions.MakeRoom do it",
		mebibytes(e.Need), mebibytes(e.Space.Free), mebibytes(e.Space.Total), mebibytes(e.Missing()))
}

// Missing returns the bytes that must be made free at least.
func (e *NoSpaceError) Missing() int64 { return e.Need - e.Space.Free }

// Is tells that the disk is full, as it would be.
func (e *NoSpaceError) Is(target error) bool { return target == syscall.ENOSPC }

func mebibytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// fits refuses what the file system has no room for. One that does not tell,
// or cannot be asked now, is written to: it will say itself what it thinks of it.
func (w *Writing) fits(ctx context.Context) error {
	if short := w.Short(ctx); short != nil {
		return short
	}
	return nil
}

// Short returns what is missing for w to fit, nil if it fits as far as known.
func (w *Writing) Short(ctx context.Context) *NoSpaceError {
	if w.Need == 0 {
		return nil
	}
	space, err := storage.Room(ctx, w.Dir)
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			w.Log.Warn("free space is not known", "path", w.Path, "err", err)
		}
		return nil
	}
	if space.Free >= w.Need {
		return nil
	}
	return &NoSpaceError{Need: w.Need, Space: space}
}
